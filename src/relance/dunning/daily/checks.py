"""Recompute the copies that dunning keeps for lists, and say where they differ (doctor)."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, Max, OuterRef, Q
from django.db.models.functions import TruncDate

from relance.accounts.models import Organisation
from relance.dunning.daily.deciding import decide_window, windows
from relance.dunning.facts.gather import plans_of, rules_of
from relance.dunning.facts.outlooks import FIELDS
from relance.dunning.models import Entry, InvoiceChase, Outlook
from relance.outbox.models import MessageInvoice, Status


def differences(organisation: Organisation, on: date) -> Iterator[str]:
    """One French sentence per copy that is wrong: outlooks on `on`, and what was last done."""
    yield from _chases(organisation)
    yield from _unfounded(organisation)
    plans, rules = plans_of(organisation), rules_of(organisation)
    for window in windows(organisation):
        decided = decide_window(organisation, on, window, plans, rules)
        stored = {
            row[0]: row[1:]
            for row in Outlook.objects.filter(
                window.q(), organisation=organisation, on__lte=on
            ).values_list("customer_id", *FIELDS)
        }
        for customer, state in decided.outlooks.items():
            if customer in stored and stored[customer] != state:
                yield (
                    f"client {customer} : copie {_words(stored[customer])}, moteur {_words(state)}"
                )


def _words(state: tuple[object, ...]) -> str:
    return " ".join(str(part) for part in state if part not in (None, "", False))


def _chases(organisation: Organisation) -> Iterator[str]:
    """Invoices whose last relance, as lists show it, is older than their last entry.

    A later date is right: a message tells of other invoices than those whose level it raises.
    """
    done = Entry.objects.filter(
        organisation=organisation,
        kind__in=[Entry.Kind.SENT, Entry.Kind.MARKED],
        void=False,
        reference__isnull=False,
    ).order_by()
    rows = done.values_list(
        "reference__number", "reference__chase__last_on", "reference_id"
    ).annotate(last=Max("on"))
    wrong = rows.filter(
        Q(reference__chase__last_on__isnull=True) | Q(reference__chase__last_on__lt=F("last"))
    )
    for number, stored, _key, last in wrong:
        yield (
            f"facture {number} : dernière relance {stored or 'aucune'} en copie, {last} au journal"
        )


def _unfounded(organisation: Organisation) -> Iterator[str]:
    """Invoices shown at a level, or as chased on a day, that nothing done backs.

    What backs it: an entry of the customer (a deed about one invoice shows on those it told of),
    or a message that left and told of the invoice.
    """
    entries = Entry.objects.filter(
        organisation=organisation, customer=OuterRef("invoice__customer"), void=False
    )
    told = MessageInvoice.objects.filter(
        invoice=OuterRef("invoice"), message__status=Status.SENT, message__sent_at__isnull=False
    )
    chases = InvoiceChase.objects.filter(organisation=organisation).order_by("invoice_id")
    levels = chases.filter(
        ~Exists(entries.filter(level=OuterRef("level"))),
        ~Exists(told.filter(message__level=OuterRef("level"))),
        level__gt=0,
    )
    for number, level in levels.values_list("invoice__number", "level"):
        yield f"facture {number} : niveau {level} en copie, qu’aucune relance partie ne fonde"
    left_on = TruncDate("message__sent_at", tzinfo=ZoneInfo(organisation.timezone))
    dates = chases.filter(
        ~Exists(entries.filter(on=OuterRef("last_on"))),
        ~Exists(told.annotate(left_on=left_on).filter(left_on=OuterRef("last_on"))),
        last_on__isnull=False,
    )
    for number, on in dates.values_list("invoice__number", "last_on"):
        yield f"facture {number} : dernière relance {on} en copie, rien n’est parti ce jour-là"

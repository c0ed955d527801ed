"""Marked as already chased from the list of what is to be chased: one or several, and back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts.gather import Window, cases, plans_of, rules_of
from relance.dunning.facts.to_chase import lines
from relance.dunning.models import Action, Entry, InvoiceChase
from relance.dunning.services.common import Refused, case_of, tell
from relance.dunning.services.levels import mark_as_chased
from relance.engine import wording
from relance.engine.decide import decide
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import MessageInvoice


class Marked(NamedTuple):
    """What `mark_listed` did, and why the others were left as they are (French sentences)."""

    done: list[Invoice]
    refused: list[tuple[Invoice, str]]


@transaction.atomic
def mark_listed(
    organisation: Organisation,
    *,
    invoices: Sequence[Invoice],
    level: int,
    actor: User,
    on: date,
    now: datetime,
    note: str = "",
) -> Marked:
    """These encaissements, listed at `level`, were chased by other means (S4-23).

    They leave the list until their next level (S4-24). One that is no longer at that level is
    refused: somebody was first, and the sentence says who.
    """
    marked = Marked([], [])
    rules = rules_of(organisation)
    ids = sorted({invoice.customer_id for invoice in invoices})
    customers = {c.pk: c for c in Customer.objects.select_for_update().filter(pk__in=ids)}
    gathered = cases(organisation, on, Window(ids=tuple(ids)), plans_of(organisation))
    known = {int(case.customer): case for case in gathered} if ids else {}
    for invoice in invoices:
        customer = customers[invoice.customer_id]
        # taken out: a mark may change what his other invoices come to
        case = known.pop(customer.pk, None) or case_of(organisation, customer.pk, on)
        here = lines(case, decide(case, on, rules))
        if not any(one.invoice == invoice.pk and one.level == level for one in here):
            known[customer.pk] = case
            marked.refused.append((invoice, who_was_first(invoice)))
            continue
        mark_as_chased(customer, invoice=invoice, actor=actor, on=on, now=now, note=note)
        marked.done.append(invoice)
    return marked


def who_was_first(invoice: Invoice) -> str:
    """Why an encaissement seen in the list is not to be chased any more, naming who did it."""
    fresh = Invoice.objects.get(pk=invoice.pk)
    if fresh.balance_cents <= 0:
        return _("%(number)s est réglée.") % {"number": invoice.number}
    leaving = (
        MessageInvoice.objects.filter(invoice=invoice, live=True, message__recorded=False)
        .select_related("message__made_by")
        .order_by("-id")
        .first()
    )
    if leaving is not None:
        maker = leaving.message.made_by
        who = str(maker) if maker else _("le plan")
        return _("%(number)s\u00a0: une relance de %(who)s est déjà en route.") % {
            "number": invoice.number,
            "who": who,
        }
    done = (
        Event.objects.filter(
            organisation_id=fresh.organisation_id,
            invoice_id=invoice.pk,
            kind__in=["message_sent", "marked_as_chased", "level_set"],
        )
        .order_by("-seq")
        .first()
    )
    if done is not None:
        return _("%(number)s\u00a0: déjà relancée par %(who)s le %(day)s.") % {
            "number": invoice.number,
            "who": done.actor_name or _("le plan"),
            "day": wording.date_words(done.on, _),
        }
    return _("%(number)s n’est plus à relancer à ce niveau.") % {"number": invoice.number}


@transaction.atomic
def unmark(invoice: Invoice, *, actor: User, on: date, now: datetime) -> None:
    """Take back a mark that `actor` made on `on`: the invoice is to be chased again.

    Refused when there is none, or it is somebody else's.
    """
    event = _mark_of(invoice, actor, on)
    before: Mapping[str, Any] = event.data.get("before") or {}
    together = Event.objects.filter(
        organisation_id=event.organisation_id,
        customer_id=event.customer_id,
        kind=event.kind,
        at=event.at,
    )
    references = [one for one in together.values_list("invoice_id", flat=True) if one]
    references = [invoice.pk] if invoice.pk not in references else references
    if _scope_of(invoice) == "invoice":
        references = [invoice.pk]
    voided = Entry.objects.filter(
        customer_id=invoice.customer_id,
        reference_id__in=references,
        kind=Entry.Kind.MARKED,
        on=on,
        void=False,
    ).update(void=True)
    if not voided:
        raise Refused(_("Cette marque a déjà été annulée."), "NOT_MARKED")
    _put_back(invoice.organisation, references, before)
    _reopen(references, actor, on)
    tell(
        "mark_undone",
        invoice.organisation,
        invoice.customer_id,
        references,
        actor=actor,
        on=on,
        now=now,
        data={},
    )
    refresh(invoice.organisation, [invoice.customer_id], on=on, now=now)


def _mark_of(invoice: Invoice, actor: User, on: date) -> Event:
    event = (
        Event.objects.filter(
            organisation_id=invoice.organisation_id,
            invoice_id=invoice.pk,
            kind="marked_as_chased",
        )
        .order_by("-seq")
        .first()
    )
    if event is None or event.on != on or event.actor_id != actor.pk:
        raise Refused(
            _("Cette marque n’est pas de vous aujourd’hui\u00a0: elle ne s’annule plus ici."),
            "NOT_MARKED",
        )
    return event


def _scope_of(invoice: Invoice) -> str:
    assignment = getattr(invoice.customer, "assignment", None)
    return assignment.plan.scope if assignment else ""


def _put_back(
    organisation: Organisation, references: Iterable[int], before: Mapping[str, Any]
) -> None:
    for key in references:
        level, name, last_on = before.get(str(key)) or (0, "", None)
        InvoiceChase.objects.update_or_create(
            invoice_id=key,
            defaults={
                "organisation": organisation,
                "level": level,
                "level_name": name,
                "last_on": date.fromisoformat(last_on) if last_on else None,
            },
        )


def _reopen(references: Sequence[int], actor: User, on: date) -> None:
    """The actions that the mark had withdrawn wait again, since the day they did."""
    for action in Action.objects.filter(
        reference_id__in=references,
        status=Action.Status.WITHDRAWN,
        withdrawn_reason="marked_as_chased",
        closed_by=actor,
        closed_on=on,
    ):
        action.status, action.closed_on, action.closed_by = Action.Status.OPEN, None, None
        action.withdrawn_reason = ""
        try:
            with transaction.atomic():
                action.save(update_fields=["status", "closed_on", "closed_by", "withdrawn_reason"])
        except IntegrityError:
            continue

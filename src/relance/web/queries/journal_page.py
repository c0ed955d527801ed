"""The whole journal of a dossier, newest first: filtered, bounded and paged by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django import forms
from django.db.models import Max, Min, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.accounts.models import BankRole, CollectRole, Membership, User
from relance.formats.text import fold
from relance.history.models import Event
from relance.history.services import START, digest
from relance.ledger.models import Customer, Invoice
from relance.web.queries import journal
from relance.web.queries.journal_receipts import BANK, OF_DOCUMENTS, PEOPLE

PAGE = 50
MOST_CUSTOMERS = 200
"""Customers that a word may stand for in the filter; beyond, one is asked to write more of it."""
NOBODY = "0"
"""The choice of what happened by itself."""

GROUPS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "messages": (
        lazy("Messages"),
        (
            "message_sent",
            "message_tracked",
            "message_failed",
            "message_bounced",
            "message_uncertain",
            "message_cancelled",
            "message_expired",
            "message_settled",
            "message_decided",
            "mail_assigned",
            "mail_received",
            "reply_received",
            "absence_received",
            "refusal_received",
            "complaint_received",
            "documents_received",
            "message_written",
            "message_held",
            "message_released",
            "message_edited",
            "link_closed",
            "link_reopened",
        ),
    ),
    "factures": (
        lazy("Factures et règlements"),
        (
            "invoice_added",
            "invoice_imported",
            "invoice_edited",
            "payment_recorded",
            "payment_cancelled",
            "credit_added",
            "credit_edited",
            "credit_applied",
            "document_attached",
            "import_done",
            "import_undone",
        ),
    ),
    "litiges": (
        lazy("Litiges, promesses, attentes"),
        (
            "dispute_opened",
            "dispute_resolved",
            "promise_made",
            "hold_set",
            "hold_released",
            "recovery_asked",
            "recovery_made",
            "recovery_failed",
            "recovery_downloaded",
            "recovery_handed",
            "recovery_taken_back",
        ),
    ),
    "clients": (
        lazy("Clients et contacts"),
        (
            "customer_added",
            "customer_edited",
            "customer_excluded",
            "customer_included",
            "contact_added",
            "contact_edited",
            "site_added",
            "site_edited",
            "site_contact",
            "address_refused",
            "address_restored",
            "phone_refused",
            "place_refused",
        ),
    ),
    "actions": (
        lazy("Actions et niveaux"),
        (
            "action_opened",
            "action_withdrawn",
            "action_done",
            "call_tried",
            "action_skipped",
            "action_reopened",
            "marked_as_chased",
            "mark_undone",
            "level_set",
            "owners_changed",
        ),
    ),
    "plans": (
        lazy("Plans et modèles"),
        (
            "plan_assigned",
            "plan_switched",
            "plan_saved",
            "plan_paused",
            "plan_deleted",
            "plan_rule",
            "plan_rules_applied",
            "template_saved",
            "template_deleted",
        ),
    ),
    "notes": (lazy("Notes"), ("note", "note_withdrawn")),
    "reglages": (
        lazy("Paramètres et personnes"),
        (
            "settings_saved",
            "sending_switched",
            *PEOPLE,
            "own_file_added",
            "own_file_retired",
            "channel_saved",
            "channel_switched_on",
            "channel_switched_off",
            "channel_removed",
            "mailbox_saved",
            "mailbox_removed",
            "mailbox_default",
            "inbox_saved",
            "inbox_removed",
            "webhook_opened",
            "test_mode_entered",
            "test_mode_left",
        ),
    ),
    "banque": (lazy("Banque et justificatifs"), tuple(sorted(BANK))),
}


class Filters(forms.Form):
    """What one may ask of the journal; anything else in the address is left aside."""

    q = forms.CharField(required=False, max_length=80)
    du = forms.DateField(
        label=lazy("Du"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "input input--date"}),
    )
    au = forms.DateField(
        label=lazy("Au"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "input input--date"}),
    )

    def __init__(self, data: QueryDict, access: Access) -> None:
        super().__init__(data)
        kinds = [(key, str(label)) for key, (label, _kinds) in GROUPS.items()]
        people = [(str(user.pk), str(user)) for user in people_of(access)]
        for name, label, choices in (
            ("quoi", _("Quoi"), [("", _("Tout")), *kinds]),
            ("qui", _("Qui"), [("", _("Tout le monde")), (NOBODY, _("Automatique")), *people]),
        ):
            widget = forms.Select(attrs={"class": "select select--auto"})
            field = forms.ChoiceField(label=label, required=False, choices=choices, widget=widget)
            self.fields[name] = field


class Row(NamedTuple):
    """An event as the page shows it."""

    seq: int
    at: datetime
    on: date
    line: journal.Line
    who: str
    customer: str
    customer_id: int | None
    number: str


@dataclass(frozen=True)
class Chosen:
    """One page; `older` is the number to go on before, `crowd` how many customers are too many."""

    form: Filters
    rows: list[Row]
    older: int | None
    newer: bool
    filtered: bool
    crowd: int
    customer: Customer | None


def people_of(access: Access) -> QuerySet[User]:
    """Those who may have acted in the dossier: its members and its firm's people."""
    members = Membership.objects.filter(organisation=access.organisation).values("user")
    people = User.objects.filter(pk__in=members)
    if access.organisation.firm_id is not None:
        people = people | User.objects.filter(firm_memberships__firm=access.organisation.firm_id)
    return people.distinct().order_by("full_name", "email")


def read(query: QueryDict, access: Access) -> Chosen:
    """The page that the address asks for."""
    form = Filters(query, access)
    form.is_valid()
    wanted: dict[str, Any] = form.cleaned_data
    events = access.all(Event)
    customer = _customer(query.get("client", ""), access)
    crowd = 0
    if customer is not None:
        events = events.filter(customer_id=customer.pk)
    elif words := fold(wanted.get("q") or "").split():
        ids = _customers(words, access)
        crowd = len(ids) if len(ids) > MOST_CUSTOMERS else 0
        events = events.filter(customer_id__in=ids[:MOST_CUSTOMERS])
    events = _narrowed(access, events, wanted)
    before = query.get("avant", "")
    if before.isascii() and before.isdecimal() and len(before) < 19:
        events = events.filter(seq__lt=int(before))
    found = _newest(events, GROUPS[wanted["quoi"]][1] if wanted.get("quoi") else ())
    older = found[PAGE - 1].seq if len(found) > PAGE else None
    filtered = customer is not None or any(
        wanted.get(name) for name in ("quoi", "qui", "q", "du", "au")
    )
    rows = _rows(access, found[:PAGE])
    return Chosen(form, rows, older, bool(before), filtered, crowd, customer)


def _newest(events: QuerySet[Event], kinds: Sequence[str]) -> list[Event]:
    """A page and one more of these kinds, or of all. Each kind is asked for by its own index: of
    several at once, a database would rather read the whole journal for the rare ones."""
    rows = events.order_by("-seq")
    if not kinds:
        return list(rows[: PAGE + 1])
    numbers: list[int] = []
    for kind in kinds:
        numbers += rows.filter(kind=kind).values_list("seq", flat=True)[: PAGE + 1]
    newest = sorted(numbers, reverse=True)[: PAGE + 1]
    return list(rows.filter(seq__in=newest))


def _customer(key: str, access: Access) -> Customer | None:
    if not (key.isascii() and key.isdecimal() and len(key) < 19):
        return None
    return access.all(Customer).filter(pk=int(key)).first()


def _customers(words: Sequence[str], access: Access) -> list[int]:
    found = access.all(Customer)
    for word in words:
        found = found.filter(search__contains=word)
    return list(found.order_by("pk").values_list("pk", flat=True)[: MOST_CUSTOMERS + 1])


def _narrowed(access: Access, events: QuerySet[Event], wanted: dict[str, Any]) -> QuerySet[Event]:
    """Person and days. Days become numbers of the journal, read from the index of days
    alone, so that the newest first costs the same ten years back."""
    if wanted.get("qui"):
        who = wanted["qui"]
        events = events.filter(actor_id=None if who == NOBODY else int(who))
    days = {"on__gte": wanted.get("du"), "on__lte": wanted.get("au")}
    days = {name: day for name, day in days.items() if day}
    if days:
        ends = access.all(Event).filter(**days).aggregate(first=Min("seq"), last=Max("seq"))
        first, last = ends["first"] or 0, ends["last"] or 0
        events = events.filter(seq__gte=first, seq__lte=last, **days)
    return events


def _rows(access: Access, events: Sequence[Event]) -> list[Row]:
    names = dict(
        access.all(Customer)
        .filter(pk__in={event.customer_id for event in events if event.customer_id})
        .values_list("pk", "name")
    )
    numbers = dict(
        access.all(Invoice)
        .filter(pk__in={event.invoice_id for event in events if event.invoice_id})
        .values_list("pk", "number")
    )
    told = [event for event in events if not _reserved(access, event)]
    lines = dict(zip((event.seq for event in told), journal.lines_of(access, told), strict=True))
    return [
        Row(
            event.seq,
            timezone.localtime(event.at),
            event.on,
            lines.get(event.seq) or _veiled(event),
            event.actor_name,
            names.get(event.customer_id or 0, ""),
            event.customer_id if event.customer_id in names else None,
            numbers.get(event.invoice_id or 0, ""),
        )
        for event in events
    ]


def _reserved(access: Access, event: Event) -> bool:
    """What happened in the bank is told to those who may see the bank; what others brought or
    answered, to those who may see every document (D-22)."""
    of_document = event.kind in OF_DOCUMENTS or (
        event.kind == "receipt_waived" and bool(event.data.get("note"))
    )
    if of_document and access.collect < CollectRole.ALL:
        return access.bank < BankRole.R1 or event.actor_id != access.user.pk
    return event.kind in BANK and access.bank < BankRole.R1


def _veiled(event: Event) -> journal.Line:
    return journal.Line(on=event.on, icon="lock", title=_("Événement de la banque"))


class Piece(NamedTuple):
    """One event with all that its hash covers; `whole` is whether the hash is that of the rest."""

    row: Row
    kind: str
    data: list[tuple[str, str]]
    previous: str
    hash: str
    whole: bool
    veiled: bool


def piece(access: Access, seq: int) -> Piece | None:
    """One event, looked at closely."""
    event = access.all(Event).filter(seq=seq).first()
    if event is None:
        return None
    before = access.all(Event).filter(seq=seq - 1).values_list("hash", flat=True).first()
    previous = START if seq == 1 else before or ""
    veiled = _reserved(access, event)
    data = event.data if isinstance(event.data, dict) and not veiled else {}
    return Piece(
        _rows(access, [event])[0],
        event.kind,
        [(str(key), str(value)) for key, value in data.items()],
        previous,
        event.hash,
        bool(previous) and digest(previous, event) == event.hash,
        veiled,
    )

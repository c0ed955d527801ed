"""What the verbs of this room share: the refusal, the case of a customer, what is written down."""

from collections.abc import Collection, Iterable
from datetime import date, datetime

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.facts.gather import Window, cases, plans_of
from relance.dunning.facts.levels_shown import save_chases
from relance.dunning.models import Entry, InvoiceChase
from relance.engine import model as engine
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox import mailboxes
from relance.outbox import services as outbox
from relance.outbox.mailboxes import Sender
from relance.outbox.models import Message


class Refused(Exception):  # noqa: N818 - it is an answer, not an accident
    """What was asked cannot be done; the text says why, in French."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def case_of(
    organisation: Organisation,
    customer_id: int,
    on: date,
    *,
    without_messages: Collection[int] = (),
    without_actions_of: date | None = None,
) -> engine.Case:
    """The engine's case of one customer on a date; what is left out as `cases` says."""
    [case] = cases(
        organisation,
        on,
        Window(ids=(customer_id,)),
        plans_of(organisation),
        without_messages=without_messages,
        without_actions_of=without_actions_of,
    )
    return case


def enter(
    organisation: Organisation,
    customer_id: int,
    entries: Iterable[engine.Entry],
    *,
    channel: str = "",
    action_id: int | None = None,
) -> None:
    """Store what the engine says is to be recorded."""
    Entry.objects.bulk_create(
        [
            Entry(
                organisation=organisation,
                customer_id=customer_id,
                on=entry.on,
                kind=entry.kind,
                plan_id=entry.plan,
                reference_id=entry.reference,
                level=entry.level,
                currency=entry.currency or "EUR",
                channel=channel,
                action_id=action_id,
                by_run=entry.by_run,
                is_contact=entry.contact,
            )
            for entry in entries
        ]
    )


def chased(
    organisation: Organisation, invoices: Iterable[engine.Id], on: date, level: int, name: str
) -> None:
    save_chases(
        [
            InvoiceChase(
                organisation=organisation,
                invoice_id=int(key),
                level=level,
                level_name=name,
                last_on=on,
            )
            for key in invoices
        ]
    )


def tell(
    kind: str,
    organisation: Organisation,
    customer_id: int,
    invoices: Iterable[engine.Id],
    *,
    actor: User,
    on: date,
    now: datetime,
    data: dict[str, object],
) -> None:
    """One event per invoice concerned, or one for the customer when there is none."""
    ids: list[int | None] = [int(key) for key in invoices] or [None]
    history.append(
        organisation,
        [Fact(kind, now, on, customer_id, key, data=data, actor=actor) for key in ids],
    )


def sender_for(organisation: Organisation, actor: User, key: str) -> Sender | None:
    """The address chosen in a window (S4-06), None for the default; Refused when it is gone."""
    try:
        return mailboxes.sender_of(organisation, actor, key) if key else None
    except mailboxes.UnknownSenderError as gone:
        raise Refused(
            _("Cette adresse d’envoi n’existe plus : choisissez-en une autre."), "UNKNOWN_SENDER"
        ) from gone


def queue_one(draft: outbox.Draft, *, now: datetime) -> Message:
    """Queue one message, or `Refused` with what the outbox found."""
    queued = outbox.queue(drafts=[draft], now=now)
    if queued.messages:
        return queued.messages[0]
    refusal = queued.refused[0]
    if refusal.code == "BAD_ADDRESS":
        text = _("L’adresse « %(address)s » n’est pas valable.") % {"address": refusal.detail}
    elif refusal.code == "NO_RECIPIENT":
        text = _("Ce client n’a aucune adresse e-mail valable.")
    elif refusal.code == "NO_PHONE":
        text = _("Ce client n’a aucun numéro de mobile valable.")
    elif refusal.code == "NO_ADDRESS":
        text = _("Ce client n’a pas d’adresse postale complète : rue, code postal et ville.")
        text = f"{text} {refusal.detail}".strip()
    else:
        text = _("Ce message est déjà en route.")
    raise Refused(text, refusal.code)

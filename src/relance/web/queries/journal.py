"""The journal as French lines: what changed, what was sent, by whom (S2-15 to S2-17)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.dunning.services.notes import withdrawn
from relance.engine import wording
from relance.history.models import Event
from relance.ledger.models import Invoice, PaymentMode, Regime
from relance.outbox.diversion import UNDONE
from relance.outbox.models import Message, Status
from relance.outbox.services import POSTED
from relance.web import channel_words, french
from relance.web.queries import journal_kinds
from relance.web.smtp_words import cancelled_words

PAGE = 50
CHANNEL_ICONS = {
    "email": "email",
    "letter": "letter",
    "registered_letter": "registered",
    "sms": "sms",
    "call": "phone",
    "task": "task",
}


@dataclass(frozen=True)
class Line:
    """One fact of the margin list; with `message_id` its title opens the message as sent, with
    `inbound_id` the mail that came in.
    """

    on: date
    icon: str
    title: str
    detail: str = ""
    tone: str = ""
    message_id: int | None = None
    cents: int | None = None
    currency: str = "EUR"
    note: str = ""
    seq: int | None = None
    author_id: int | None = None
    withdrawn: bool = False
    inbound_id: int | None = None


def other_years(days: Iterable[date | None], today: date) -> bool:
    """Whether a date must be written with its year, so that the margin has to be wider."""
    return any(day is not None and day.year != today.year for day in days)


ON_ITS_WAY = (Status.TO_APPROVE, Status.QUEUED, Status.SENDING, Status.RETRYING, Status.SENT)


def of_invoice(access: Access, invoice: Invoice, *, limit: int = PAGE) -> list[Line]:
    """What happened to one invoice, the latest first, and what is about to leave about it."""
    events = list(access.all(Event).filter(invoice_id=invoice.pk).order_by("-seq")[:limit])
    waiting = access.all(Message).filter(lines__invoice=invoice, recorded=False)
    gone = _withdrawn(access, events)
    return _waiting_lines(waiting) + [_line(event, {}, gone) for event in events]


def of_customer(
    access: Access, customer_id: int, *, before: int | None = None, limit: int = PAGE
) -> tuple[list[Line], int | None]:
    """What happened with one customer, the latest first; the number to go on from, if any."""
    found = access.all(Event).filter(customer_id=customer_id).order_by("-seq")
    if before is not None:
        found = found.filter(seq__lt=before)
    events = list(found[: limit + 1])
    more = events[limit - 1].seq if len(events) > limit else None
    waiting: list[Line] = []
    if before is None:
        waiting = _waiting_lines(
            access.all(Message).filter(customer_id=customer_id, recorded=False)
        )
    return waiting + lines_of(access, _merged(events[:limit])), more


def _merged(events: Sequence[Event]) -> list[Event]:
    """A message about five invoices has five events: one line on the customer's record."""
    seen: set[tuple[str, int | None]] = set()
    kept = []
    for event in events:
        key = (event.kind, event.message_id)
        if event.message_id is not None and key in seen:
            continue
        seen.add(key)
        kept.append(event)
    return kept


def _waiting_lines(messages: Any) -> list[Line]:
    """Messages on their way, whose outcome is not in the journal yet."""
    return [
        Line(
            on=message.on,
            icon=CHANNEL_ICONS.get(message.channel, "email"),
            title=message_title(message.level, message.level_name, message.purpose),
            detail=str(Status(message.status).label)
            + (f", {', '.join(message.recipients)}" if message.recipients else ""),
            message_id=message.pk,
            cents=message.amount_cents,
            currency=message.currency,
        )
        for message in messages.filter(status__in=ON_ITS_WAY).order_by("-id")[:10]
    ]


def message_title(level: int | None, name: str, purpose: str) -> str:
    """`Second rappel (2)`, or what kind of free message it was."""
    if level:
        return f"{name or _('Niveau')}{french.NBSP}({level})"
    return str(Message.Purpose(purpose).label) if purpose in Message.Purpose else _("Message")


def lines_of(access: Access, events: Sequence[Event]) -> list[Line]:
    """One line of words for each event, in their order."""
    numbers = dict(
        access.all(Invoice)
        .filter(pk__in={event.invoice_id for event in events if event.invoice_id})
        .values_list("pk", "number")
    )
    gone = _withdrawn(access, events)
    return [_line(event, numbers, gone) for event in events]


def _withdrawn(access: Access, events: Sequence[Event]) -> set[int]:
    """The numbers of the notes withdrawn since, asked for only when a note is shown."""
    customers = {event.customer_id for event in events if event.kind == "note"}
    chosen = [key for key in customers if key is not None]
    return withdrawn(access.organisation, chosen) if chosen else set()


def _note(event: Event, number: str, gone: set[int]) -> Line:
    """`Note de Camille Le Goff`, with its words and the number by which it is withdrawn."""
    data = event.data if isinstance(event.data, dict) else {}
    return Line(
        on=event.on,
        icon="note",
        title=_("Note de %(name)s") % {"name": event.actor_name} if event.actor_name else _("Note"),
        detail=number,
        note=str(data.get("text") or ""),
        seq=event.seq,
        author_id=event.actor_id,
        withdrawn=event.seq in gone,
    )


def _given(data: Mapping[str, Any]) -> str:
    """The plan that was given, and the rule that gave it."""
    plan = str(data.get("plan") or _("Aucun plan de relance"))
    if not data.get("rule"):
        return plan
    return _("%(plan)s, par la règle %(n)s") % {"plan": plan, "n": data["rule"]}


def _line(event: Event, numbers: Mapping[int, str], gone: set[int]) -> Line:
    number = numbers.get(event.invoice_id or 0, "")
    if event.kind == "note":
        return _note(event, number, gone)
    teller = teller_of(event.kind)
    data = event.data if isinstance(event.data, dict) else {}
    if teller is None:
        icon, title, detail = "note", event.kind.replace("_", " ").capitalize(), ""
    else:
        icon, title, detail = teller(data)
    pieces = [detail, "" if event.kind == "message_sent" else number, event.actor_name]
    sent = event.kind == "message_sent"
    if sent:
        at = timezone.localtime(event.at)
        posted = data.get("channel") in POSTED
        words = _("Courrier confirmé à %(hour)s") if posted else _("Envoyé à %(hour)s")
        pieces = [
            words % {"hour": at.strftime("%H:%M")}
            + (_(" à %(to)s") % {"to": detail} if detail else "")
        ]
    return Line(
        on=event.on,
        icon=icon,
        title=title,
        detail=", ".join(piece for piece in pieces if piece),
        message_id=event.message_id,
        inbound_id=_arrival(data),
        cents=_cents(data),
        currency=str(data.get("currency") or "EUR"),
    )


def teller_of(kind: str) -> journal_kinds.Teller | None:
    """What tells a kind of event as its icon, its title and its detail."""
    return _TELLERS.get(kind) or journal_kinds.TELLERS.get(kind)


def _arrival(data: Mapping[str, Any]) -> int | None:
    key = data.get("inbound")
    return key if isinstance(key, int) else None


def _cents(data: Mapping[str, Any]) -> int | None:
    for key in ("amount_cents", "total_cents"):
        if isinstance(data.get(key), int):
            return int(data[key])
    return None


Told = tuple[str, str, str]


def _day(text: Any) -> str:
    try:
        return french.date_text(date.fromisoformat(str(text)))
    except ValueError:
        return str(text or "")


def _after(data: Mapping[str, Any], key: str) -> Any:
    """The new value of `[before, after]`, or the value itself."""
    value = data.get(key)
    return value[-1] if isinstance(value, list) and value else value


def _level_of(data: Mapping[str, Any]) -> str:
    level = data.get("level")
    if not level:
        return _("Jamais relancée")
    return f"{data.get('name') or _('Niveau')}{french.NBSP}({level})"


def _message_sent(data: Mapping[str, Any]) -> Told:
    to = data.get("to")
    title = message_title(data.get("level"), str(data.get("name") or ""), str(data.get("purpose")))
    icon = CHANNEL_ICONS.get(str(data.get("channel")), "email")
    whom = ", ".join(to) if isinstance(to, list) else ""
    if data.get("diverted_to"):
        said = {"test": data["diverted_to"], "to": whom or "–"}
        whom = _("%(test)s, en mode test, au lieu de %(to)s") % said
    return icon, title, whom


FIELD_NAMES: dict[str, Any] = {
    "name": lazy("nom"),
    "email": lazy("e-mail"),
    "phone": lazy("téléphone"),
    "address": lazy("adresse"),
    "postcode": lazy("code postal"),
    "city": lazy("ville"),
    "country": lazy("pays"),
    "siren": lazy("SIREN"),
    "regime": lazy("régime"),
    "language": lazy("langue"),
    "judgment_on": lazy("jugement d’ouverture"),
    "to_review": lazy("à vérifier"),
    "manager": lazy("responsable"),
    "role": lazy("fonction"),
    "is_default": lazy("destinataire par défaut"),
    "favourites": lazy("destinataires favoris"),
    "site": lazy("chantier"),
    "attached": lazy("associé"),
    "excluded": lazy("exclu"),
    "mode": lazy("mode de paiement"),
}


def _value(value: Any) -> str:
    if value in (None, "", []):
        return _("rien")
    if value is True or value is False:
        return _("oui") if value else _("non")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    labels = dict(Regime.choices) | dict(PaymentMode.choices)
    return str(labels.get(str(value), value))


def _changes(data: Mapping[str, Any]) -> str:
    told = []
    for key, value in data.items():
        if isinstance(value, list) and len(value) == 2:
            name = str(FIELD_NAMES.get(key, key))
            told.append(f"{name}{french.NBSP}: {_value(value[0])} → {_value(value[1])}")
    return " ; ".join(told).replace(" ; ", f"{french.NNBSP}; ")


def _action_opened(data: Mapping[str, Any]) -> Told:
    reason = str(data.get("reason") or "")
    detail = ""
    if reason in wording.SENTENCES:
        detail = {
            "NO_RECIPIENT": _("Aucun destinataire utilisable"),
            "NO_TEMPLATE": _("Aucun modèle pour ce mode d’envoi"),
        }.get(reason, "")
    return "actions", _("À faire\u00a0: %(level)s") % {"level": _level_of(data)}, detail


def _action_withdrawn(data: Mapping[str, Any]) -> Told:
    code = str(data.get("code") or "")
    detail = cancelled_words(code) if code else ""
    return "minus", _("Action retirée\u00a0: %(level)s") % {"level": _level_of(data)}, detail


def _action_done(data: Mapping[str, Any]) -> Told:
    icon = CHANNEL_ICONS.get(str(data.get("channel")), "tick")
    said = [channel_words.result(str(data.get("result") or "")), str(data.get("note") or "")]
    return icon, _level_of(data), ", ".join(filter(None, said)) or _("Fait")


def _call_tried(data: Mapping[str, Any]) -> Told:
    said = [channel_words.result(str(data.get("result") or "")), str(data.get("note") or "")]
    return "phone", _level_of(data), ", ".join(filter(None, said))


def _money(data: Mapping[str, Any], key: str = "amount_cents") -> str:
    cents = data.get(key)
    return french.money(cents, str(data.get("currency") or "EUR")) if isinstance(cents, int) else ""


def _message_ended(data: Mapping[str, Any]) -> Told:
    title = message_title(data.get("level"), str(data.get("name") or ""), str(data.get("purpose")))
    return "error", title, str(data.get("error") or "")


def _message_cancelled(data: Mapping[str, Any]) -> Told:
    title = message_title(data.get("level"), str(data.get("name") or ""), str(data.get("purpose")))
    if data.get("reason") == UNDONE:  # it left, to the address of the trial alone
        return "minus", _("Message d’essai, oublié\u00a0: %(title)s") % {"title": title}, ""
    return "minus", _("Annulé avant le départ\u00a0: %(title)s") % {"title": title}, ""


_TELLERS: dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "message_sent": _message_sent,
    "message_cancelled": _message_cancelled,
    "message_failed": _message_ended,
    "message_uncertain": _message_ended,
    "address_refused": lambda d: (
        "error",
        _("Adresse marquée invalide") if d.get("contact") else _("Adresse refusée par son serveur"),
        ", ".join(str(d[key]) for key in ("email", "reason") if d.get(key)),
    ),
    "address_restored": lambda d: ("tick", _("Adresse de nouveau valide"), str(d.get("email"))),
    "notice_received": lambda d: (
        "registered",
        _("Mise en demeure reçue") if d.get("received_on") else _("Date de réception retirée"),
        _day(d.get("received_on")) if d.get("received_on") else "",
    ),
    "note_withdrawn": lambda d: ("note", _("Note retirée"), ""),
    "message_held": lambda d: (
        "hold",
        _("Message retenu : %(level)s") % {"level": _level_of(d)},
        "",
    ),
    "message_released": lambda d: (
        "tick",
        _("Message approuvé : %(level)s") % {"level": _level_of(d)},
        "",
    ),
    "message_edited": lambda d: (
        "pencil",
        _("Message modifié : %(level)s") % {"level": _level_of(d)},
        "",
    ),
    "message_written": lambda d: (
        "send",
        _("Message écrit d’avance : %(level)s") % {"level": _level_of(d)},
        "",
    ),
    "action_opened": _action_opened,
    "action_withdrawn": _action_withdrawn,
    "action_done": _action_done,
    "call_tried": _call_tried,
    "action_skipped": lambda d: (
        "minus",
        _("Ignorée\u00a0: %(level)s") % {"level": _level_of(d)},
        "",
    ),
    "owners_changed": lambda d: ("users", _("Responsables changés"), _value(d.get("owners"))),
    "marked_as_chased": lambda d: (
        "phone",
        _("Marquée comme déjà relancée"),
        str(d.get("note") or ""),
    ),
    "mark_undone": lambda d: ("undo", _("Marque « déjà relancée » annulée"), ""),
    "level_set": lambda d: ("pencil", _("Niveau choisi à la main"), _level_of(d)),
    "plan_assigned": lambda d: (
        "plan",
        _("Plan assigné") if d.get("plan") else _("Plan retiré"),
        _given(d),
    ),
    "plan_switched": lambda d: (
        "bolt",
        _("Plan de relance activé") if _after(d, "plan_on") else _("Plan de relance désactivé"),
        "",
    ),
    "invoice_added": lambda d: (
        ("import", _("Facture importée"), "")
        if d.get("import")
        else ("plus", _("Facture ajoutée"), "")
    ),
    "invoice_imported": lambda d: ("import", _("Facture importée"), str(d.get("filename") or "")),
    "invoice_edited": lambda d: ("pencil", _("Facture modifiée"), _changes(d)),
    "credit_edited": lambda d: ("pencil", _("Avoir modifié"), _changes(d)),
    "action_reopened": lambda d: (
        "undo",
        _("Reprise\u00a0: %(level)s") % {"level": _level_of(d)},
        "",
    ),
    "payment_recorded": lambda d: (
        "euro",
        _("Règlement reçu"),
        str(d.get("reference") or ""),
    ),
    "payment_cancelled": lambda d: ("undo", _("Règlement annulé"), str(d.get("reference") or "")),
    "credit_added": lambda d: ("credit", _("Avoir ajouté"), str(d.get("number") or "")),
    "credit_applied": lambda d: ("credit", _("Avoir imputé"), str(d.get("credit") or "")),
    "document_attached": lambda d: ("paperclip", _("Document joint"), str(d.get("name") or "")),
    "dispute_opened": lambda d: (
        "scales",
        _("Litige ouvert"),
        ", ".join(str(d[key]) for key in ("category", "note") if d.get(key)),
    ),
    "dispute_resolved": lambda d: ("scales", _("Litige clos"), str(d.get("note") or "")),
    "promise_made": lambda d: (
        "promise",
        _("Promesse de règlement"),
        _("pour le %(day)s") % {"day": _day(_after(d, "until"))},
    ),
    "hold_set": lambda d: (
        "hold",
        _("Mise en attente"),
        _("jusqu’au %(day)s") % {"day": _day(_after(d, "until"))},
    ),
    "hold_released": lambda d: ("play", _("Attente ou promesse levée"), ""),
    "customer_added": lambda d: ("plus", _("Client ajouté"), str(d.get("code") or "")),
    "customer_edited": lambda d: ("pencil", _("Client modifié"), _changes(d)),
    "customer_excluded": lambda d: ("pause", _("Exclu des relances"), ""),
    "customer_included": lambda d: ("play", _("De nouveau relancé"), ""),
    "contact_added": lambda d: ("user", _("Contact ajouté"), str(d.get("contact") or "")),
    "contact_edited": lambda d: (
        "user",
        _("Contact modifié"),
        f"{d.get('contact') or ''}{french.NBSP}: {_changes(d)}",
    ),
    "site_added": lambda d: ("site", _("Chantier ajouté"), str(_after(d, "site") or "")),
    "site_contact": lambda d: (
        "site",
        _("Contacts du chantier %(site)s") % {"site": d.get("site") or ""},
        f"{d.get('contact') or ''}{french.NBSP}: {_changes(d)}",
    ),
    "site_edited": lambda d: ("site", _("Chantier modifié"), _changes(d)),
}

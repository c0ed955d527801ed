"""The PDF of a message as it was sent, with the proof of its sending; words come as data."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.outbox.channels.letter.typeset import compiled
from relance.outbox.models import Attempt, Inbound, Message, Status, Tracking

FOLDER = Path(__file__).parent
MOST_TEXT = 60_000
"""Characters of a body that are set; no message that people write comes near."""


def message_pdf(
    message: Message,
    *,
    attached: Iterable[str],
    answers: Iterable[Inbound],
    at: datetime,
) -> bytes:
    """Headers, words, and what the other side answered, as a PDF/A dated `at`.

    `attached` are the names of its files; of a letter the words are left out, for its own PDF
    goes with it.
    """
    pdf, _compiler = compiled(
        "message.typ", {"sheet": facts(message, attached, answers)}, at=at, folder=FOLDER
    )
    return pdf


def facts(message: Message, attached: Iterable[str], answers: Iterable[Inbound]) -> dict[str, Any]:
    """What the sheet shows, every text in the active language."""
    zone = ZoneInfo(message.organisation.timezone)
    to = message.letter["to"] if message.letter else message.recipients
    told = [
        (_("De"), message.sender),
        (_("À"), ", ".join(to)),
        (_("Copie"), ", ".join(message.copies)),
        (_("Objet"), message.subject),
        (_("Parti le"), _moment(message.sent_at or message.handed_at, zone)),
        (_("État"), str(Status(message.status).label)),
        (_("Message-ID"), message.message_ref if message.channel == "email" else ""),
        (_("SHA-256"), message.handed_sha256),
        (_("Référence du prestataire"), message.provider_ref),
        (_("Joint"), ", ".join(attached)),
    ]
    return {
        "title": _("Courrier envoyé") if message.letter else _("Message envoyé"),
        "facts": [[label, value] for label, value in told if value],
        "text": "" if message.letter else message.text[:MOST_TEXT],
        "proof_title": _("Preuve de l’envoi"),
        "proofs": [
            *(_attempt(one, zone, message.channel) for one in message.tries.order_by("at", "pk")),
            *(_tracking(one, zone) for one in message.tracking.order_by("at", "pk")),
        ],
        "answers_title": _("Ce qui est revenu"),
        "answers": [_answer(one, zone) for one in answers],
        "nothing": _("Aucune trace d’envoi n’est enregistrée."),
        "footer": f"{message.organisation.name} · {message.whom}",
    }


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%d/%m/%Y %H:%M:%S %Z") if at else ""


def moment(at: datetime, organisation: Organisation) -> str:
    """Date and time to the second, in the zone of the dossier."""
    return _moment(at, ZoneInfo(organisation.timezone))


def _attempt(one: Attempt, zone: ZoneInfo, channel: str) -> list[str]:
    """When, what, and the answer; with its Message-ID when it is not the message's any more."""
    ref = one.message_ref if channel == "email" else ""
    said = " ".join(filter(None, [str(one.code or ""), one.answer, ref]))
    return [_moment(one.at, zone), str(Attempt.Outcome(one.outcome).label), said]


def _tracking(one: Tracking, zone: ZoneInfo) -> list[str]:
    return [_moment(one.at, zone), _("Suivi : %(status)s") % {"status": one.status}, one.detail]


def _answer(one: Inbound, zone: ZoneInfo) -> list[str]:
    return [
        _moment(one.received_at, zone),
        str(one.get_kind_display()),
        f"{one.sender} {one.subject}",
    ]

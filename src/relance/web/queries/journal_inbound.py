"""French words for what came in: replies, absences, refusals, complaints, documents."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from relance.web import french
from relance.web.smtp_words import plain_answer

Told = tuple[str, str, str]


def _mail(data: Mapping[str, Any]) -> str:
    return ", ".join(str(data[key]) for key in ("from", "subject") if data.get(key))


def _addresses(data: Mapping[str, Any], key: str = "address") -> str:
    value = data.get(key)
    found = value if isinstance(value, list) else [value]
    return ", ".join(str(one) for one in found if one)


def _absence(data: Mapping[str, Any]) -> Told:
    until = data.get("until")
    if isinstance(until, str):
        try:
            day = french.date_text(date.fromisoformat(until), None, "short")
        except ValueError:
            day = until
        title = _("Absent jusqu’au %(day)s") % {"day": day}
        return "calendar", title, _mail(data)
    return "calendar", _("Réponse automatique"), _mail(data)


def _refusal(data: Mapping[str, Any]) -> Told:
    address, code = _addresses(data), data.get("code")
    why = plain_answer(None, str(code)) if code else ""
    detail = ", ".join(part for part in (address, why) if part)
    if data.get("delayed"):
        return "clock", _("Remise retardée par son serveur"), address
    if data.get("foreign"):
        return "error", _("Refus d’une adresse à qui rien n’a été écrit"), address
    if data.get("kept"):
        return "error", _("Refus reçu, adresse gardée"), detail
    return "error", _("Refus reçu, adresse arrêtée"), detail


def _bounced(data: Mapping[str, Any]) -> Told:
    """The step that came back, so that it counts for nothing any more."""
    level, name = data.get("level"), data.get("name")
    title = _("Message revenu")
    if isinstance(level, int) and level:
        title = _("Message revenu : %(level)s") % {
            "level": f"{name or _('Niveau')}{french.NBSP}({level})"
        }
    words = _("refusé par %(address)s") % {"address": _addresses(data, "to")}
    return "undo", title, words if data.get("to") else ""


def _settled(data: Mapping[str, Any]) -> Told:
    by = {
        "reply": _("une réponse y a été faite"),
        "auto_reply": _("une réponse automatique y a été faite"),
        "hard": _("un de ses destinataires l’a refusé"),
        "soft": _("son serveur en a accusé le retard"),
        "complaint": _("il a été signalé comme indésirable"),
        "documents": _("des documents y répondent"),
    }.get(str(data.get("by")), "")
    return "tick", _("Envoi incertain : il est bien parti"), by


TELLERS: dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "reply_received": lambda d: ("reply", _("Réponse reçue"), _mail(d)),
    "absence_received": _absence,
    "refusal_received": _refusal,
    "complaint_received": lambda d: (
        "triangle",
        _("E-mail signalé comme indésirable"),
        _addresses(d),
    ),
    "documents_received": lambda d: ("paperclip", _("Documents reçus par e-mail"), _mail(d)),
    "mail_received": lambda d: ("inbox", _("Mail reçu"), _mail(d)),
    "mail_assigned": lambda d: ("inbox", _("Mail attribué à ce client"), _mail(d)),
    "message_bounced": _bounced,
    "message_settled": _settled,
}

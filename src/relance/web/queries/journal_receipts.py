"""French words of the journal for the bank, the receipts, the people and the firm of a dossier."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.models import BankRole, CollectRole, DunningRole
from relance.bank.models import Transaction
from relance.engine.wording import money_words
from relance.receipts.models import Answer, FileSchedule
from relance.web import french

Told = tuple[str, str, str]
"""Icon, title and detail."""


def _text(data: Mapping[str, Any], *keys: str) -> str:
    """The values that there are, in their order."""
    return ", ".join(str(data[key]) for key in keys if data.get(key))


def _people(data: Mapping[str, Any]) -> str:
    to = data.get("to") or []
    return ", ".join(str(one) for one in to) if isinstance(to, list) else str(to)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _bank_imported(data: Mapping[str, Any]) -> Told:
    words = french.counted(
        _number(data.get("added")), _("opération nouvelle"), _("opérations nouvelles")
    )
    return "import", _("Relevé importé"), ", ".join(filter(None, [_text(data, "file"), words]))


def _bank_account(data: Mapping[str, Any]) -> Told:
    title = _("Compte bancaire clos") if data.get("closed") else _("Compte bancaire modifié")
    return "bank", title, _text(data, "name", "account")


def _bank_rule(data: Mapping[str, Any]) -> Told:
    if data.get("deleted"):
        return "settings", _("Règle de banque supprimée"), _text(data, "words")
    return "settings", _("Règle de banque enregistrée"), _text(data, "words")


def _waived(data: Mapping[str, Any]) -> Told:
    waiver = str(data.get("waiver") or "")
    labels = dict(Transaction.Waiver.choices)
    title = str(labels.get(waiver, waiver)) if waiver else _("Justificatif de nouveau attendu")
    return ("minus" if waiver else "undo"), title, _text(data, "label", "note")


def _requested(data: Mapping[str, Any]) -> Told:
    words = french.counted(_number(data.get("count")), _("justificatif"), _("justificatifs"))
    detail = f"{words}, {money_words(_number(data.get('amount_cents')), 'EUR')}"
    title = _("Justificatifs demandés")
    return "send", title, f"{detail} → {_people(data)}" if data.get("to") else detail


def _answered(data: Mapping[str, Any]) -> Told:
    answer = str(data.get("answer") or "")
    titles = {
        "denied": _("Justificatif trouvé\u00a0: refusé par le client"),
        "taken_back": _("Réponse reprise par le client"),
    }
    label = str(dict(Answer.Kind.choices).get(answer, answer))
    title = titles.get(answer) or _("Réponse du client\u00a0: %(answer)s") % {"answer": label}
    return "reply", title, _text(data, "by", "file", "note")


def _taken_in(data: Mapping[str, Any]) -> Told:
    found = [
        french.counted(_number(data.get("kept")), _("document"), _("documents")),
        french.counted(_number(data.get("answers")), _("réponse"), _("réponses")),
        french.counted(_number(data.get("refused")), _("fichier refusé"), _("fichiers refusés")),
    ]
    told = ", ".join(one for one in found if not one.startswith("0"))
    return "inbox", _("Fichiers reçus par e-mail"), _with(_text(data, "from"), told)


def _schedule(data: Mapping[str, Any]) -> Told:
    found = data.get("days")
    days = ", ".join(str(day) for day in found) if isinstance(found, list) else ""
    if "mode" in data:
        mode = str(dict(FileSchedule.Mode.choices).get(str(data["mode"]), data["mode"]))
        return "calendar", _("Calendrier des demandes du dossier"), f"{mode} {days}".strip()
    if not data.get("enabled"):
        return "pause", _("Relances automatiques de justificatifs arrêtées"), ""
    detail = _("jours du mois\u00a0: %(days)s") % {"days": days}
    return "calendar", _("Relances automatiques de justificatifs actives"), detail


def _roles(values: Any) -> str:
    ladders = (DunningRole, BankRole, CollectRole)
    if not isinstance(values, list) or len(values) != len(ladders):
        return ""
    return ", ".join(
        str(dict(ladder.choices).get(value, value))
        for ladder, value in zip(ladders, values, strict=True)
    )


def _member(title: Any) -> Callable[[Mapping[str, Any]], Told]:
    return lambda data: ("user", str(title), _with(_text(data, "user"), _roles(data.get("roles"))))


def _with(who: str, what: str) -> str:
    return f"{who}{french.NBSP}: {what}" if what else who


def _firm(icon: str, title: Any) -> Callable[[Mapping[str, Any]], Told]:
    return lambda data: (icon, str(title), _text(data, "firm"))


def _file(icon: str, title: Any) -> Callable[[Mapping[str, Any]], Told]:
    return lambda data: (icon, str(title), _text(data, "label", "file", "expense", "from"))


def _to(icon: str, title: Any) -> Callable[[Mapping[str, Any]], Told]:
    return lambda data: (icon, str(title), _with(_people(data), _text(data, "error")))


BANK: dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "bank_imported": _bank_imported,
    "bank_account": _bank_account,
    "bank_rule": _bank_rule,
    "document_received": _file("receipt", lazy("Justificatif reçu")),
    "document_removed": _file("trash", lazy("Justificatif supprimé")),
    "documents_taken_in": _taken_in,
    "expense_named": _file("pencil", lazy("Nature de dépense choisie")),
    "receipt_associated": _file("link", lazy("Justificatif associé")),
    "receipt_dissociated": _file("undo", lazy("Justificatif dissocié")),
    "receipt_denied": _file("cross", lazy("Justificatif proposé refusé")),
    "receipt_waived": _waived,
    "receipt_answered": _answered,
    "receipts_requested": _requested,
    "receipts_schedule": _schedule,
    "receipts_sent": _to("send", lazy("Demande de justificatifs envoyée")),
    "receipts_not_sent": _to("error", lazy("Demande de justificatifs non envoyée")),
    "receipts_forgotten": _to("undo", lazy("Demande de justificatifs du mode test effacée")),
    "receipts_link_opened": _to("eye", lazy("Demande de justificatifs ouverte")),
}
"""Kinds that are told in full only to those who may see the bank of the dossier."""

OF_DOCUMENTS = frozenset(
    {
        "document_received",
        "document_removed",
        "documents_taken_in",
        "receipt_answered",
        "receipt_associated",
    }
)
"""Of these, the kinds whose words name a document, who gave it, or his note (a waiver may too)."""

PEOPLE: dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "member_invited": _member(lazy("Personne invitée")),
    "member_roles": _member(lazy("Rôles changés")),
    "member_removed": _member(lazy("Personne retirée du dossier")),
    "dossier_opened": _firm("folder", lazy("Dossier ouvert")),
    "firm_asked": _firm("building", lazy("Un cabinet demande à suivre le dossier")),
    "firm_attached": _firm("building", lazy("Le dossier rejoint un cabinet")),
    "firm_declined": _firm("building", lazy("Demande d’un cabinet refusée")),
    "firm_detached": _firm("building", lazy("Le cabinet ne suit plus le dossier")),
}

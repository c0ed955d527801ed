"""French words for what happened to the dossier itself: settings, plans, mailboxes, lots, proof.

What happened with a customer is told by `journal`, the bank and people by `journal_receipts`;
together they have words for every kind that is written anywhere (a test looks).
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.web import french
from relance.web.queries.journal_channels import TELLERS as CHANNELS
from relance.web.queries.journal_inbound import TELLERS as ARRIVALS
from relance.web.queries.journal_receipts import BANK, PEOPLE

Told = tuple[str, str, str]
Teller = Callable[[Mapping[str, Any]], Told]


def _text(data: Mapping[str, Any], *keys: str) -> str:
    """The values of some keys, one after the other; what is empty is left out."""
    found = (data.get(key) for key in keys)
    return ", ".join(_said(one) for one in found if one not in (None, "", []))


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


def _counted(data: Mapping[str, Any], key: str, one: str, many: str) -> str:
    n = data.get(key)
    return french.counted(n, one, many) if isinstance(n, int) else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def plain(icon: str, title: Any, *keys: str) -> Teller:
    """A teller of one sentence, with the values of some keys beside it."""
    return lambda data: (icon, str(title), _text(data, *keys))


def _imported(data: Mapping[str, Any]) -> Told:
    counts = [
        _counted(data, "created", _("ligne nouvelle"), _("lignes nouvelles")),
        _counted(data, "updated", _("mise à jour"), _("mises à jour")),
        _counted(data, "refused", _("refusée"), _("refusées")),
    ]
    return "import", _("Import terminé"), _joined(_text(data, "name"), *counts)


def _settings(data: Mapping[str, Any]) -> Told:
    changes = [
        f"{SETTINGS.get(key, key)}{french.NBSP}: {value[0] or _('rien')} → {value[1] or _('rien')}"
        for key, value in data.items()
        if isinstance(value, list) and len(value) == 2
    ]
    return "settings", _("Paramètres changés"), _joined(*changes)


SETTINGS: dict[str, Any] = {
    "name": lazy("nom"),
    "address": lazy("adresse"),
    "siren": lazy("SIREN"),
    "iban": lazy("IBAN"),
    "bic": lazy("BIC"),
    "signature": lazy("signature"),
    "email_from": lazy("expéditeur"),
    "reply_to": lazy("adresse de réponse"),
    "send_at": lazy("heure du départ"),
    "zone": lazy("jours fériés"),
    "timezone": lazy("fuseau horaire"),
    "tolerance_cents": lazy("tolérance"),
    "by_hand_modes": lazy("modes jamais relancés tout seuls"),
    "fresh_days": lazy("jours de fraîcheur"),
    "legal_form": lazy("forme juridique"),
    "logo": lazy("logo des courriers"),
    "letter_footer": lazy("pied des courriers"),
    "contract_rate_bp": lazy("taux des pénalités"),
    "interest_first": lazy("règlements sur les intérêts d’abord"),
}


def _switched(data: Mapping[str, Any]) -> Told:
    value = data.get("sending_on")
    if isinstance(value, list) and value and value[-1]:
        return "play", _("Envois automatiques repris"), ""
    return "pause", _("Envois automatiques suspendus"), ""


def _batch(icon: str, title: Any) -> Teller:
    return lambda data: (
        icon,
        str(title),
        _joined(
            _text(data, "title"),
            _counted(data, "lines", _("client"), _("clients")),
        ),
    )


TELLERS: dict[str, Teller] = {
    **BANK,
    **PEOPLE,
    **ARRIVALS,
    **CHANNELS,
    "sending_switched": _switched,
    "settings_saved": _settings,
    "import_done": _imported,
    "import_undone": plain("undo", lazy("Import annulé"), "name"),
    "plan_saved": plain("plan", lazy("Plan de relance enregistré"), "plan"),
    "plan_paused": lambda d: (
        ("pause", _("Plan de relance suspendu"), _text(d, "plan"))
        if d.get("paused")
        else ("play", _("Plan de relance repris"), _text(d, "plan"))
    ),
    "plan_deleted": plain("trash", lazy("Plan de relance supprimé"), "plan"),
    "plan_rule": plain("plan", lazy("Règle d’affectation changée"), "plan"),
    "plan_rules_applied": lambda d: (
        "plan",
        _("Règles d’affectation appliquées"),
        _counted(d, "changed", _("client a changé de plan"), _("clients ont changé de plan")),
    ),
    "template_saved": plain("template", lazy("Modèle enregistré"), "template"),
    "template_deleted": plain("trash", lazy("Modèle supprimé"), "template"),
    "batch_started": _batch("table", lazy("Envoi groupé lancé")),
    "batch_done": _batch("tick", lazy("Envoi groupé terminé")),
    "batch_cancelled": _batch("minus", lazy("Envoi groupé arrêté")),
    "batch_taken_up": _batch("undo", lazy("Envoi groupé repris")),
    "batch_settled": _batch("tick", lazy("Envoi groupé réglé")),
    "own_file_added": plain("paperclip", lazy("Pièce jointe gardée"), "name"),
    "own_file_retired": plain("paperclip", lazy("Pièce jointe retirée"), "name"),
    "mailbox_saved": plain("email", lazy("Boîte d’envoi enregistrée"), "address"),
    "mailbox_removed": plain("email", lazy("Boîte d’envoi retirée"), "address"),
    "mailbox_default": plain("email", lazy("Expéditeur habituel changé"), "address"),
    "inbox_saved": plain("inbox", lazy("Boîte de réception enregistrée"), "address"),
    "inbox_removed": plain("inbox", lazy("Boîte de réception retirée"), "address"),
    "webhook_opened": plain("inbox", lazy("Adresse de réception par webhook créée"), "address"),
    "test_mode_entered": plain("info", lazy("Mode test activé"), "to"),
    "test_mode_left": plain("info", lazy("Mode test quitté"), "to"),
    "message_expired": plain("minus", lazy("Message périmé avant le départ"), "name"),
    "phone_refused": plain("error", lazy("Téléphone refusé"), "phone", "reason"),
    "place_refused": plain("error", lazy("Adresse postale refusée"), "reason"),
    "letters_reprinted": plain("print", lazy("Courriers réimprimés")),
    "message_decided": lambda d: (
        ("tick", _("Envoi incertain : dit parti"), _text(d, "name"))
        if d.get("sent")
        else ("undo", _("Envoi incertain : renvoyé"), _text(d, "name"))
    ),
    "link_closed": plain("lock", lazy("Lien vers les factures fermé")),
    "link_reopened": plain("link", lazy("Lien vers les factures rouvert")),
    "recovery_asked": plain("folder", lazy("Dossier de recouvrement demandé")),
    "recovery_made": plain("folder", lazy("Dossier de recouvrement prêt"), "name"),
    "recovery_failed": plain("error", lazy("Dossier de recouvrement non fait"), "error"),
    "recovery_downloaded": plain("import", lazy("Dossier de recouvrement téléchargé"), "name"),
    "recovery_handed": plain("scales", lazy("Remis au recouvrement, plus relancé"), "to"),
    "recovery_taken_back": plain("undo", lazy("Repris du recouvrement, de nouveau relancé")),
}

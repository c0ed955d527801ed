"""What a mail server answered, and why a message was cancelled, in plain French."""

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from relance.engine import wording
from relance.engine.model import Reason
from relance.outbox.models import WAITING, Message, PrintRun, Status

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


SENTENCES: dict[str, tuple[Any, Any]] = {
    "address": (
        gettext_lazy("Adresse refusée par son serveur"),
        gettext_lazy("L’adresse n’existe pas chez son hébergeur."),
    ),
    "domain": (
        gettext_lazy("Domaine introuvable"),
        gettext_lazy("Le domaine de l’adresse est introuvable."),
    ),
    "full": (gettext_lazy("Boîte pleine"), gettext_lazy("La boîte du destinataire est pleine.")),
    "closed": (gettext_lazy("Boîte fermée"), gettext_lazy("La boîte du destinataire est fermée.")),
    "heavy": (
        gettext_lazy("Message trop lourd"),
        gettext_lazy("Le message est trop lourd pour le serveur du destinataire."),
    ),
    "login": (
        gettext_lazy("Identifiant d’envoi refusé"),
        gettext_lazy("Votre serveur d’envoi refuse l’identifiant ou le mot de passe."),
    ),
    "policy": (
        gettext_lazy("Refusé par son serveur"),
        gettext_lazy("Le serveur du destinataire refuse vos messages (réputation ou règles)."),
    ),
    "line": (
        gettext_lazy("Serveur d’envoi muet"),
        gettext_lazy("Le serveur d’envoi ne répond pas."),
    ),
    "document": (
        gettext_lazy("PDF introuvable"),
        gettext_lazy("Le PDF d’une facture est introuvable."),
    ),
    "later": (
        gettext_lazy("Réessayer plus tard"),
        gettext_lazy("Le serveur du destinataire demande de réessayer plus tard."),
    ),
    "refused": (
        gettext_lazy("Refusé par son serveur"),
        gettext_lazy("Le serveur du destinataire a refusé le message."),
    ),
}
_WORDS = (
    ("address", ("user unknown", "no such user", "does not exist", "unknown recipient")),
    ("address", ("mailbox not found", "recipient not found", "mailbox unavailable")),
    ("domain", ("domain not found", "name or service", "host not found")),
    ("full", ("over quota", "quota exceeded", "mailbox full", "mailbox is full")),
    ("closed", ("disabled", "inactive")),
    ("heavy", ("too large", "at most")),
    ("policy", ("spam", "blocked", "blacklist", "policy", "denied")),
    ("line", ("timed out", "timeout", "unreachable", "connection", "network")),
    ("document", ("no such file", "errno 2")),
)
_BY_ENHANCED = {
    (1, 0): "address",
    (1, 1): "address",
    (1, 6): "address",
    (1, 10): "address",
    (1, 2): "domain",
    (4, 4): "domain",
    (2, 1): "closed",
    (2, 2): "full",
    (2, 3): "heavy",
    (3, 4): "heavy",
}


def kind_of_answer(code: int | None, answer: str) -> str:
    """What an answer means, a key of `SENTENCES`: RFC 3463 first, then the words it uses."""
    if code in (530, 534, 535, 538):
        return "login"
    found = _ENHANCED.search(answer)
    if found:
        subject, detail = int(found[2]), int(found[3])
        if (subject, detail) in _BY_ENHANCED:
            return _BY_ENHANCED[subject, detail]
        if subject == 7:
            return "policy"
    low = answer.lower()
    for kind, words in _WORDS:
        if any(word in low for word in words):
            return kind
    if code == 552:
        return "heavy"
    return "later" if code is not None and 400 <= code < 500 else "refused"


def plain_answer(code: int | None, answer: str) -> str:
    """The server's answer as one French sentence."""
    return str(SENTENCES[kind_of_answer(code, answer)][1])


def trouble_words(message: Message) -> str:
    """The state of a message that did not leave well, in a few words for a line."""
    if message.status == Status.UNCERTAIN:
        return _("Envoi incertain")
    if message.status == Status.BOUNCED:
        return _("Revenu : %(why)s") % {"why": _short(message.error)}
    return _short(message.error)


def held_words(message: Message) -> str:
    """Why a message in the queue leaves later than it might; empty when nothing keeps it."""
    if message.status not in WAITING:
        return ""
    return {
        "MAILBOX_MINUTE": _(
            "Sa boîte d’envoi a atteint sa limite par minute. Il attend son tour, sans perdre "
            "d’essai."
        ),
        "QUIET_HOURS": _(
            "Les SMS ne partent que de 8 h à 20 h, les jours ouvrés : il attend la "
            "prochaine heure permise."
        ),
        "DATA_TOO_OLD": _("Le dernier import est trop ancien : il partira après le prochain."),
        "MAILBOX_DAY": _(
            "Sa boîte d’envoi a atteint sa limite de messages en 24 heures. Il attend son tour, "
            "sans perdre d’essai."
        ),
    }.get(message.reason, "")


def failed_words(message: Message) -> str:
    """Why a message failed or came back, as a sentence."""
    return plain_answer(_code(message.error), message.error)


def _short(answer: str) -> str:
    return str(SENTENCES[kind_of_answer(_code(answer), answer)][0])


def _code(answer: str) -> int | None:
    found = re.match(r"([245]\d\d)\b", answer)
    return int(found[1]) if found else None


def cancelled_words(code: str) -> str:
    """Why a message was cancelled, as a sentence; the words of the engine where they fit."""
    own = {
        "RECOVERY": _("Le client a été remis au recouvrement."),
        "CALLED_BACK": _("Annulé à temps par la personne qui l’envoyait."),
        "BY_HAND": _("Annulé à la main."),
        "NOTHING_MISSING": _("Tout a été justifié avant le départ."),
        "NO_ELIGIBLE_RECIPIENT": _("Plus aucun destinataire ne peut recevoir cette demande."),
        "marked_as_chased": _("Le client a été marqué comme déjà relancé."),
        "level_set": _("Le niveau a été choisi à la main."),
        "CHANGED": _("Les factures concernées ont changé entre-temps."),
        "SETTLED": _("Tout a été réglé avant le départ."),
        "SENDING_OFF": _("Les envois automatiques étaient suspendus."),
        "DATA_TOO_OLD": _("Le dernier import était trop ancien."),
        "TEST": _("Message d’essai, oublié à la fin du mode test : le client n’a rien reçu."),
        "PROMISED": _("Le client a promis de régler."),
        "INVOICE_ON_HOLD": _("La facture a été mise en attente."),
        "CUSTOMER_ON_HOLD": _("Les relances de ce client ont été mises en attente."),
        "MIN_CONTACT_DELAY": _("Le client a été contacté entre-temps."),
        "NOT_ISSUED": _("La facture n’est pas encore émise."),
        "NOT_YET_TRIGGERED": _("Ce niveau n’est plus atteint."),
        "BALANCE_NOT_POSITIVE": _("Les avoirs du client couvrent ce qu’il doit."),
        "BELOW_MINIMUM": _("Le solde est passé sous le minimum du plan."),
        "NO_RECIPIENT": _("Il n’y a plus d’adresse valable."),
        "NO_TEMPLATE": _("Le modèle de ce niveau a été retiré."),
        "REACHABLE": _("Le client peut de nouveau être joint : le message part tout seul."),
        "PENDING_MANUAL": _("Cette étape se fait désormais à la main."),
        "EMPTY_PLAN": _("Le plan de relance a été vidé."),
        "PLAN_PAUSED": _("Le plan de relance a été mis en pause."),
        "END_OF_PLAN": _("Tous les niveaux du plan sont passés."),
        "BY_HAND_MODE": _("Ce mode de paiement ne se relance qu’à la main."),
        "BEFORE_JUDGMENT": _("Une procédure collective interdit d’en demander le paiement."),
        "NOT_A_WORKING_DAY": _("Ce n’était plus un jour ouvré."),
    }
    if code in own:
        return own[code]
    if code in wording.SENTENCES:
        return wording.sentence(Reason(code), _)
    return _("Annulé.")


def printed_words(run: PrintRun) -> str:
    """Why a letter that is on paper can be neither called back nor changed."""
    return _(
        "Ce courrier est sur papier : %(who)s l’a imprimé (tirage n° %(run)s). "
        "Pour l’arrêter, reprenez d’abord les courriers de ce tirage."
    ) % {"who": run.made_by or "–", "run": run.pk}

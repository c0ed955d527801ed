"""What came in, and how reading an inbox went, in plain French."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from relance.outbox.models import Inbound, Inbox, Refusal
from relance.web import french
from relance.web.smtp_words import plain_answer

ICONS = {
    Inbound.Kind.REPLY: "reply",
    Inbound.Kind.HARD: "error",
    Inbound.Kind.SOFT: "clock",
    Inbound.Kind.AUTO_REPLY: "calendar",
    Inbound.Kind.COMPLAINT: "triangle",
    Inbound.Kind.DOCUMENTS: "paperclip",
    Inbound.Kind.OTHER: "inbox",
}
REFUSED = (Inbound.Kind.HARD, Inbound.Kind.SOFT, Inbound.Kind.COMPLAINT)
"""Kinds that speak of an address rather than come from somebody."""
TONES = {Inbound.Kind.HARD: "is-late", Inbound.Kind.COMPLAINT: "is-warn"}


def kind_words(inbound: Inbound) -> str:
    """What it is, in a word or two; a refusal does not always mean that the address is dead."""
    if inbound.kind == Inbound.Kind.HARD:
        return _("Refus")
    return str(Inbound.Kind(inbound.kind).label)


def whom(inbound: Inbound) -> str:
    """Of whom a line speaks: the customer, else the address refused, else the writer."""
    if inbound.customer is not None:
        return inbound.customer.name
    address = inbound.address if inbound.kind in REFUSED else ""
    return address or inbound.sender or _("Expéditeur inconnu")


def opening(text: str) -> str:
    """The first words that say something: a greeting is none."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    greets = len(lines) > 1 and len(lines[0]) < 40 and lines[0].endswith(",")
    return " ".join(lines[1:] if greets else lines)


def summary(inbound: Inbound, beginning: str = "") -> str:
    """One line: what the mail is, and the fact that counts in it, or its first words."""
    if inbound.kind == Inbound.Kind.AUTO_REPLY:
        if inbound.absent_until is None:
            return _("Réponse automatique")
        return _("Absent jusqu’au %(day)s") % {"day": french.date_text(inbound.absent_until)}
    if inbound.kind == Inbound.Kind.HARD:
        why = plain_answer(None, f"{inbound.code} {inbound.detail}")
        if not inbound.address:
            return why
        return _("%(address)s : %(why)s") % {"address": inbound.address, "why": why}
    if inbound.kind == Inbound.Kind.SOFT:
        return _("Pas encore remis à %(address)s, ou refusé pour l’instant") % {
            "address": inbound.address or "–"
        }
    if inbound.kind == Inbound.Kind.COMPLAINT:
        return _("%(address)s a signalé un e-mail comme indésirable") % {
            "address": inbound.address or _("Quelqu’un")
        }
    return opening(beginning) or inbound.subject or _("Sans objet")


def consequence(inbound: Inbound, refusals: Sequence[Refusal]) -> str:
    """What the product did about it, and what it left to a person."""
    if inbound.handled_at is None:
        return _("Ce mail vient d’arriver : il est examiné dans un instant.")
    dead = [one.address for one in refusals if one.dead]
    if inbound.kind == Inbound.Kind.REPLY:
        return _("Une réponse n’arrête rien : les relances continuent tant que vous n’agissez pas.")
    if inbound.kind == Inbound.Kind.AUTO_REPLY:
        return _("Ce n’est pas une réponse : le plan de relance continue.")
    if inbound.kind == Inbound.Kind.COMPLAINT and dead:
        return _("Cette adresse ne reçoit plus d’e-mail : prenez un autre chemin.")
    if inbound.kind == Inbound.Kind.HARD and dead:
        return _(
            "Plus rien n’est envoyé à %(address)s. Indiquez une autre adresse sur la fiche."
        ) % {"address": ", ".join(dead)}
    if inbound.kind == Inbound.Kind.HARD and refusals:
        return _("Le message n’est pas arrivé ; l’adresse est gardée, car elle existe.")
    if inbound.kind == Inbound.Kind.SOFT and refusals:
        return _("Le message n’est pas arrivé. Au troisième refus en 14 jours, l’adresse s’arrête.")
    if inbound.kind == Inbound.Kind.SOFT:
        return _("Le serveur du destinataire réessaie : rien n’a changé.")
    if inbound.kind in (Inbound.Kind.HARD, Inbound.Kind.COMPLAINT):
        return _(
            "Ce refus ne se rattache à aucune adresse à qui vous avez écrit : rien n’a été changé. "
            "À vous d’en juger."
        )
    return ""


def fault_words(code: str) -> str:
    """Why an inbox cannot be read, as a sentence that says what to do."""
    return {
        "FORBIDDEN_HOST": _("Cette installation ne permet pas de joindre ce serveur ou ce port."),
        "NO_HOST": _("Aucun serveur ne porte ce nom : vérifiez-le."),
        "NO_ANSWER": _("Le serveur ne répond pas sur ce port."),
        "BAD_TLS": _("La connexion chiffrée échoue : vérifiez le port et le chiffrement."),
        "LOGIN_REFUSED": _("Le serveur refuse l’identifiant ou le mot de passe."),
        "NO_FOLDER": _("Ce dossier n’existe pas dans la boîte."),
        "SECRET_LOST": _("Le mot de passe enregistré est illisible : tapez-le de nouveau."),
        "PROTOCOL": _("Le serveur ne parle pas IMAP comme attendu : vérifiez le chiffrement."),
    }.get(code, _("Le serveur n’a pas pu être lu."))


def trouble_of(inbox: Inbox) -> str:
    """What is wrong with an inbox now; empty when nothing is known to be."""
    code = inbox.check_error.partition(" ")[0]
    return fault_words(code) if code else ""

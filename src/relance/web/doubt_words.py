"""What is known of a message that may have arrived and may not: when, where, what came back."""

from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from relance.dunning.facts import hours
from relance.outbox.models import Attempt, Message
from relance.outbox.settling import BY_HAND
from relance.web import french


class Fact(NamedTuple):
    """A label and what is known; `code` is set as it was written by a machine."""

    label: str
    value: str
    code: bool = False


def doubt_words(message: Message) -> str:
    """Why nobody can know from here, as sentences."""
    if message.channel == "email":
        return _(
            "La ligne s’est coupée après que le message a été remis, avant la réponse du serveur. "
            "Il est peut-être arrivé, peut-être pas : personne ne peut le savoir d’ici."
        )
    if message.channel == "sms":
        return _(
            "Le SMS a été remis au prestataire, qui n’a pas répondu. Il est peut-être arrivé, "
            "peut-être pas : regardez dans votre compte chez lui."
        )
    return _(
        "Le courrier a été remis au prestataire, qui n’a pas répondu. Il sera peut-être posté, "
        "peut-être pas : regardez dans votre compte chez lui."
    )


def again_words(message: Message, now: datetime) -> str:
    """When it leaves again if one asks for it now: what is automatic keeps to its hours (D-14)."""
    leaves = again_at(message, now)
    if leaves is None:
        when = _("Le message repart tout de suite.")
    else:
        local = timezone.localtime(leaves)
        when = _("Le message repart le %(day)s à %(hour)s, à la prochaine heure d’envoi.") % {
            "day": french.date_text(local.date(), timezone.localtime(now).date()),
            "hour": local.strftime("%H:%M"),
        }
    return f"{when} {_('S’il était arrivé, le client l’aura deux fois.')}"


def again_at(message: Message, now: datetime) -> datetime | None:
    """The moment (UTC) at which it may leave; None when that is now."""
    organisation = message.organisation
    if message.automatic and not hours.may_leave(organisation, now):
        return hours.next_departure(organisation, now)
    if message.channel == "sms" and not organisation.test_to:
        return hours.quiet_until(organisation, now)
    return None


def handed_words(message: Message) -> str:
    """`Remis le 24 nov. à 08:31, sans réponse`, for a line."""
    if message.handed_at is None:
        return _("Envoi incertain")
    at = timezone.localtime(message.handed_at)
    return _("Remis le %(day)s à %(hour)s, sans réponse") % {
        "day": french.date_text(at.date(), timezone.localdate()),
        "hour": at.strftime("%H:%M"),
    }


def doubt_facts(message: Message) -> list[Fact]:
    """When it was handed over, to whom, what was answered last, what has come back since."""
    facts = []
    if message.handed_at is not None:
        at = timezone.localtime(message.handed_at)
        facts.append(Fact(_("Remis"), f"{french.date_text(at.date())}, {at.strftime('%H:%M:%S')}"))
    if message.channel == "email":
        server = message.mailbox.host if message.mailbox else settings.EMAIL_HOST
        facts.append(Fact(_("Serveur"), server, code=True))
    last = message.tries.exclude(answer="").exclude(answer=BY_HAND).order_by("-at", "-pk").first()
    said = f"{last.code or ''} {last.answer}".strip() if last else _("aucune")
    facts.append(Fact(_("Dernière réponse"), said, code=last is not None))
    if message.channel == "email":
        facts.append(Fact(_("Identifiant"), message.message_ref, code=True))
    if message.provider_ref:
        facts.append(Fact(_("Référence"), message.provider_ref, code=True))
    facts.append(
        Fact(
            _("Revenu depuis"),
            _(
                "Rien : ni réponse, ni refus, ni suivi portant cet identifiant. S’il en arrive un, "
                "il tranchera de lui-même."
            ),
        )
    )
    return facts


def settled_words(message: Message) -> str:
    """Who has decided about it already, and how; empty when nobody has."""
    by = message.tries.filter(answer=BY_HAND).order_by("-at", "-pk").first()
    if by is None:
        return ""
    if by.outcome == Attempt.Outcome.SENT:
        return _(
            "Trop tard : %(who)s a déjà tranché : il est parti. Rien n’a été envoyé de plus."
        ) % {"who": by.worker}
    return _("Trop tard : %(who)s l’a déjà fait repartir. Rien n’a été envoyé de plus.") % {
        "who": by.worker
    }

"""The answer to Pourquoi ? as one or two sentences: what happened, why, and when it will."""

from collections.abc import Collection
from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning.facts.gather import HELD
from relance.dunning.queries import Explanation, Look
from relance.engine import model as engine
from relance.engine import wording
from relance.engine.schedule import impossible
from relance.outbox.models import Message
from relance.web import french
from relance.web.queries import sending

_NUMBERS = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix")


def level_words(step: engine.Step) -> str:
    """`Dernier rappel (3)`."""
    return f"{step.name or _('Niveau')}{french.NBSP}({step.level})"


def long_day(day: date, today: date) -> str:
    """`aujourd’hui`, `demain`, `hier`, else `le mercredi 25 novembre`."""
    near = {0: _("aujourd’hui"), 1: _("demain"), -1: _("hier")}
    known = near.get((day - today).days)
    return known or _("le %(day)s") % {"day": french.date_text(day, today, "long")}


def main_carrier(decision: engine.Decision) -> engine.Carrier | None:
    """The carrier that acts first; the first one when none is dated."""
    dated = [carrier for carrier in decision.carriers if carrier.leaves]
    if dated:
        return min(dated, key=lambda carrier: carrier.leaves or date.max)
    return decision.carriers[0] if decision.carriers else None


def answer(organisation: Organisation, look: Look, *, today: date) -> str:
    """What happened on the date asked or not, why, and when it will."""
    asked = look.asked
    hour = organisation.send_at.strftime("%H:%M")
    carrier = main_carrier(asked.decision)
    if asked.message is not None:
        words = _not_gone(asked.message, today)
    elif asked.state == "acted":
        words = _acted(asked, today)
    elif asked.state == "leaving":
        words = _leaving(asked, today, hour)
    elif asked.state == "pending":
        words = _pending(asked, today)
    elif asked.state == "waiting" and carrier is not None:
        words = _waiting(asked, carrier, today)
    else:
        return _nothing(asked, today)
    if asked.state in {"acted", "waiting", "held", "written"} and carrier is not None:
        words += " " + _then(carrier, asked.case.unreachable, today, hour)
    if asked.expected and asked.state in {"leaving", "pending"}:
        words += " " + _("Si rien n’est réglé d’ici là.")
    stop = sending.stop(organisation, today)
    if stop is not None:
        words += " " + wording.sentence(stop, _)
    return words.strip().replace("..", ".")


def _not_gone(message: Message, today: date) -> str:
    """Written and not gone: never told as sent."""
    name = message.level_name or _("Niveau")
    what = {"what": french.quoted(f"{name}{french.NBSP}({message.level})")}
    if message.status in HELD:
        return _("%(what)s est écrit et attend l’accord d’une personne avant de partir.") % what
    at = timezone.localtime(message.not_before)
    what |= {"day": long_day(at.date(), today), "hour": at.strftime("%H:%M")}
    return _("%(what)s est écrit et part %(day)s à partir de %(hour)s.") % what


def set_aside_words(decision: engine.Decision) -> str:
    """Why none of a customer's open invoices can be chased: the reason that they share, or each.

    `Toutes ses factures font l'objet d'un litige`, `2 factures en litige, 1 promise.`
    """
    counts: dict[str, int] = {}
    for reason in decision.invoice_reasons:
        if reason.code not in {"SETTLED", "NOT_ISSUED"}:
            counts[reason.code] = counts.get(reason.code, 0) + 1
    if not counts:
        return ""
    if len(counts) == 1:
        code, count = next(iter(counts.items()))
        one = next(reason for reason in decision.invoice_reasons if reason.code == code)
        if count == 1:
            return _("Sa seule facture ouverte est mise à part. %(why)s") % {
                "why": wording.sentence(one, _)
            }
        return _("Ses %(n)d factures ouvertes ont la même raison. %(why)s") % {
            "n": count,
            "why": _shared(code),
        }
    told = [_counted_reason(code, count) for code, count in counts.items()]
    return _("Aucune de ses factures ouvertes ne peut être relancée : %(list)s.") % {
        "list": ", ".join(told)
    }


def _shared(code: str) -> str:
    return {
        "PLAN_OFF": _("Le plan de relance est désactivé pour elles."),
        "DISPUTED": _("Toutes sont en litige."),
        "PROMISED": _("Le client a promis de les régler."),
        "INVOICE_ON_HOLD": _("Toutes sont mises en attente."),
        "BY_HAND_MODE": _("Leur mode de paiement ne se relance qu’à la main."),
        "BEFORE_JUDGMENT": _("Une procédure collective interdit d’en demander le paiement."),
    }.get(code, code)


def _counted_reason(code: str, count: int) -> str:
    word = {
        "PLAN_OFF": _("sans plan"),
        "DISPUTED": _("en litige"),
        "PROMISED": _("sous promesse"),
        "INVOICE_ON_HOLD": _("en attente"),
        "BY_HAND_MODE": _("à relancer à la main"),
        "BEFORE_JUDGMENT": _("sous procédure collective"),
    }.get(code, code)
    return f"{french.number(count)} {word}"


def _acted(asked: Explanation, today: date) -> str:
    plan = asked.case.plan
    names = {step.level: level_words(step) for step in plan.steps} if plan else {}
    sent = sorted({entry.level for entry in asked.done if entry.kind == "sent"})
    told = _(" et ").join(french.quoted(names.get(n, str(n))) for n in sent if n)
    if told:
        return _("%(what)s est parti %(day)s.") % {"what": told, "day": long_day(asked.on, today)}
    return _("Le client a été marqué comme déjà relancé %(day)s.") % {
        "day": long_day(asked.on, today)
    }


def _action_told(action: engine.Action) -> str:
    return french.quoted(f"{action.name or _('Niveau')}{french.NBSP}({action.level})")


def _leaving(asked: Explanation, today: date, hour: str) -> str:
    action = asked.decision.automatic[0]
    what = {
        "what": _action_told(action),
        "day": long_day(asked.on, today),
        "hour": hour,
        "count": french.counted(len(action.invoices), _("facture"), _("factures")),
        "amount": french.money(action.amount, action.currency),
    }
    if asked.on < today:
        return (
            _(
                "%(what)s devait partir %(day)s, pour %(count)s et %(amount)s\u00a0: "
                "aucun envoi n’est enregistré."
            )
            % what
        )
    if asked.on == today:
        return _("%(what)s part aujourd’hui à %(hour)s\u00a0: %(count)s, %(amount)s.") % what
    return _("%(what)s partira %(day)s à %(hour)s\u00a0: %(count)s, %(amount)s.") % what


def _pending(asked: Explanation, today: date) -> str:
    action = asked.decision.manual[0]
    code = action.reason.code if action.reason else "PENDING_MANUAL"
    what = {"what": _action_told(action), "since": long_day(action.since, today)}
    if code == "NO_RECIPIENT":
        return (
            _(
                "%(what)s ne peut pas partir\u00a0: ce client n’a aucun destinataire utilisable. "
                "C’est à vous de le joindre, ou de compléter ses contacts."
            )
            % what
        )
    if code == "NO_TEMPLATE":
        return (
            _(
                "%(what)s ne peut pas partir\u00a0: ce niveau n’a pas de modèle pour "
                "ce mode d’envoi."
            )
            % what
        )
    if action.since >= asked.on:
        return _("Rien ne part seul %(day)s\u00a0: %(what)s se fait à la main.") % (
            what | {"day": long_day(asked.on, today)}
        )
    return _("Rien ne part seul\u00a0: %(what)s se fait à la main, et attend depuis %(since)s.") % (
        what | {"since": what["since"].removeprefix(_("le "))}
        if what["since"] in {_("aujourd’hui"), _("hier"), _("demain")}
        else what
    )


def _prefix(asked: Explanation, today: date, contact: date | None = None) -> str:
    if asked.on > today:
        return _("Rien ne partira %(day)s") % {"day": long_day(asked.on, today)}
    if contact == asked.on:
        return _("Le plan n’a rien envoyé %(day)s") % {"day": long_day(asked.on, today)}
    return _("Rien n’est parti %(day)s") % {"day": long_day(asked.on, today)}


def _waiting(asked: Explanation, carrier: engine.Carrier, today: date) -> str:
    prefix, plan = _prefix(asked, today, carrier.contact), asked.case.plan
    delay = plan.min_contact_days if plan else 0
    if carrier.code == "MIN_CONTACT_DELAY" and carrier.contact:
        return _(
            "%(prefix)s\u00a0: %(n)s jours doivent séparer deux messages, et le "
            "dernier date du %(day)s."
        ) % {
            "prefix": prefix,
            "n": _NUMBERS[delay] if french.is_french() and delay < len(_NUMBERS) else delay,
            "day": french.date_text(carrier.contact, today, "long"),
        }
    if carrier.code == "NOT_A_WORKING_DAY":
        return _("%(prefix)s\u00a0: ce n’est pas un jour ouvré.") % {"prefix": prefix}
    number, due = carrier.reference.number, carrier.reference.due
    if due >= asked.on:
        return _("%(prefix)s\u00a0: %(number)s n’est à échéance que %(day)s.") % {
            "prefix": prefix,
            "number": number,
            "day": long_day(due, today),
        }
    late = (asked.on - due).days
    return _("%(prefix)s\u00a0: %(number)s n’a que %(days)s de retard.") % {
        "prefix": prefix,
        "number": number,
        "days": french.counted(late, _("jour"), _("jours")),
    }


def _then(carrier: engine.Carrier, unreachable: Collection[str], today: date, hour: str) -> str:
    if carrier.step is None or carrier.leaves is None:
        return _("Le plan est ensuite terminé.") if carrier.code == "END_OF_PLAN" else ""
    what = french.quoted(level_words(carrier.step))
    told = {"what": what, "day": long_day(carrier.leaves, today), "hour": hour}
    if carrier.step.automatic:
        if carrier.leaves < today:
            return _("%(what)s était prévu %(day)s.") % told
        if impossible(carrier.step, unreachable):
            return _("%(what)s sera à faire %(day)s.") % told
        return _("%(what)s partira %(day)s à %(hour)s.") % told
    return _("%(what)s sera à faire %(day)s.") % told


def _nothing(asked: Explanation, today: date) -> str:
    reasons = [
        r for r in asked.reasons if r.code in (*engine.CUSTOMER_CODES, *engine.CARRIER_CODES)
    ]
    if not reasons:
        return _prefix(asked, today) + "."
    first = reasons[0]
    if first.code == "NOTHING_CHASEABLE":
        return set_aside_words(asked.decision)
    return f"{wording.sentence(first, _)} {wording.advice(first, _)}".replace("..", ".")

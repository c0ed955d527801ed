"""Pourquoi ? for one customer on one date: the answer, its proof, and what can be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.accounts.access import Access
from relance.dunning.models import Action
from relance.dunning.queries import Look
from relance.engine import model as engine
from relance.engine import wording
from relance.engine.calendar import is_working_day
from relance.ledger.models import Customer
from relance.web import french
from relance.web.queries.why_remedies import Remedy, remedies
from relance.web.queries.why_words import answer, level_words

MOST = 5


class Fact(NamedTuple):
    """One line of the margin list."""

    when: date | None
    icon: str
    tone: str
    title: str
    detail: str = ""


@dataclass(frozen=True)
class Why:
    """`text` is read in serif; `codes` are for the API and for support."""

    on: date
    state: str
    text: str
    facts: list[Fact]
    remedies: list[Remedy]
    codes: str


def why(
    access: Access, customer: Customer, look: Look, *, today: date, actions: Sequence[Action]
) -> Why:
    """The whole panel but its picture (`drawings.reason_picture`)."""
    asked = look.asked
    return Why(
        asked.on,
        asked.state,
        answer(access.organisation, look, today=today),
        facts(look, access.organisation.zone, _owners(actions)),
        # what is done today changes nothing of a day gone by
        remedies(access, customer, look, today=today, actions=actions) if asked.on >= today else [],
        codes(look),
    )


def _owners(actions: Sequence[Action]) -> str:
    """Who is to do what waits, each once."""
    names = [str(owner) for action in actions for owner in action.owners.all()]
    return ", ".join(dict.fromkeys(names))


def codes(look: Look) -> str:
    """`MIN_CONTACT_DELAY 25/11, DISPUTED F-2026-0855`."""
    numbers = {one.id: one.number for one in look.asked.case.invoices}
    told = []
    for reason in look.asked.reasons:
        if reason.code == "SETTLED":
            continue
        words = [reason.code]
        if reason.until:
            words.append(f"{reason.until:%d/%m}")
        if reason.code in engine.INVOICE_CODES and reason.invoice in numbers:
            words.append(numbers[reason.invoice])
        told.append(" ".join(words))
    kept = list(dict.fromkeys(told))
    return ", ".join(kept[:8]) + (" …" if len(kept) > 8 else "")


def facts(look: Look, zone: str, owners: str = "") -> list[Fact]:
    """What makes the answer true, each with its date; `zone`: that of the public holidays.

    `owners`: who is to do what waits to be done by hand (S3-26).
    """
    found = [
        _customer_fact(reason)
        for reason in look.asked.decision.reasons
        if reason.code != "NOTHING_CHASEABLE"  # its invoices say why
    ]
    for carrier in look.asked.decision.carriers[:3]:
        found += _carrier_facts(look, carrier, zone, owners)
    rest = len(look.asked.decision.carriers) - 3
    if rest > 0:
        words = ngettext(
            "%(n)d autre facture suit son propre cours",
            "%(n)d autres factures suivent leur propre cours",
            rest,
        )
        found.append(Fact(None, "info", "", words % {"n": rest}))
    return found + _set_aside(look)


def _customer_fact(reason: engine.Reason) -> Fact:
    icon, tone = (
        ("pause", "warn")
        if reason.code in {"CUSTOMER_ON_HOLD", "PLAN_PAUSED", "EXCLUDED"}
        else ("info", "")
    )
    return Fact(reason.until, icon, tone, wording.sentence(reason, _), wording.advice(reason, _))


def _carrier_facts(look: Look, carrier: engine.Carrier, zone: str, owners: str) -> list[Fact]:
    on, plan = look.asked.on, look.asked.case.plan
    if plan is None:
        return []
    found = [_reference_fact(plan, carrier)]
    if carrier.step is None:
        title = _("Tous les niveaux du plan sont passés")
        detail = _("Niveau atteint\u00a0: %(n)d") % {"n": carrier.reached}
        return [*found, Fact(None, "info", "", title, detail)]
    found += _trigger_facts(carrier.step, carrier, on)
    found += _delay_facts(plan, carrier, on, zone)
    return found + _by_hand_facts(carrier, owners)


def _reference_fact(plan: engine.Plan, carrier: engine.Carrier) -> Fact:
    invoice = carrier.reference
    amount = {"amount": french.money(invoice.balance, invoice.currency)}
    if plan.scope == "customer":
        title = _("%(number)s est la facture porteuse")
        detail = _("La plus ancienne échéance encore due, %(amount)s") % amount
    else:
        title, detail = _("%(number)s suit le plan seule"), amount["amount"]
    return Fact(invoice.due, "tick", "done", title % {"number": invoice.number}, detail)


def _trigger_facts(step: engine.Step, carrier: engine.Carrier, on: date) -> list[Fact]:
    if carrier.trigger is None:
        return []
    past = carrier.trigger <= on
    words = _("%(level)s est déclenché") if past else _("%(level)s n’est pas encore déclenché")
    return [
        Fact(
            carrier.trigger,
            "tick" if past else "clock",
            "done" if past else "",
            words % {"level": level_words(step)},
            _trigger_words(step, carrier),
        )
    ]


def _delay_facts(plan: engine.Plan, carrier: engine.Carrier, on: date, zone: str) -> list[Fact]:
    """The minimum contact delay, then the calendar, when they push the step back."""
    found = []
    if carrier.earliest is None or carrier.trigger is None:
        return []
    if carrier.contact and carrier.earliest > carrier.trigger:
        detail = _("%(contact)s + %(n)d jours\u00a0: pas avant %(day)s") % {
            "contact": french.date_text(carrier.contact, on),
            "n": plan.min_contact_days,
            "day": french.date_text(carrier.earliest, on, "weekday"),
        }
        title = _("Délai minimum de contact")
        found.append(Fact(carrier.earliest, "pause", "warn", title, detail))
    rest = _day_off(zone, carrier.earliest, carrier.wanted)
    if rest:
        title = _("%(day)s n’est pas un jour ouvré") % {
            "day": capfirst(french.date_text(rest, on, "long"))
        }
        detail = _("Les envois automatiques attendent le jour ouvré suivant.")
        found.append(Fact(carrier.wanted, "pause", "warn", title, detail))
    return found


def _day_off(zone: str, first: date, wanted: date | None) -> date | None:
    """The first day from `first` on, before `wanted`, on which nothing leaves by itself."""
    if wanted is None:
        return None
    days = (first + timedelta(n) for n in range((wanted - first).days))
    return next((day for day in days if not is_working_day(zone, day)), None)


def _by_hand_facts(carrier: engine.Carrier, owners: str) -> list[Fact]:
    """What is left to a person, and why."""
    reason = wording.carrier_reason(carrier)
    if reason is None or carrier.code not in {"NO_RECIPIENT", "NO_TEMPLATE", "PENDING_MANUAL"}:
        return []
    advice = wording.advice(reason, _)
    if owners:
        advice = _("Responsable : %(names)s.") % {"names": owners} + f" {advice}"
    if carrier.code == "PENDING_MANUAL":
        return [Fact(carrier.wanted, "actions", "accent", _("À faire à la main"), advice)]
    return [Fact(carrier.wanted, "error", "late", wording.sentence(reason, _), advice)]


def _trigger_words(step: engine.Step, carrier: engine.Carrier) -> str:
    base = {
        "due": _("Échéance"),
        "issue": _("Date de facture"),
        "due_month_end": _("Fin du mois de l’échéance"),
        "previous": _("Relance précédente"),
    }[step.anchor]
    if step.repeat_every and carrier.reached == step.level:
        return _("Répété tous les %(n)d jours") % {"n": step.repeat_every}
    sign = "+" if step.days >= 0 else french.MINUS
    return _("%(base)s %(sign)s %(n)d jours") % {"base": base, "sign": sign, "n": abs(step.days)}


def _set_aside(look: Look) -> list[Fact]:
    """Open invoices that are not chaseable, with their own reason."""
    case = look.asked.case
    invoices = {one.id: one for one in case.invoices}
    shown = [
        r for r in look.asked.decision.invoice_reasons if r.code not in {"SETTLED", "NOT_ISSUED"}
    ]
    if not shown:
        return []
    title = ngettext("%(n)d facture mise à part", "%(n)d factures mises à part", len(shown)) % {
        "n": len(shown)
    }
    lines = [
        f"{invoices[reason.invoice].number}{french.NBSP}: {_short(reason)}"
        for reason in shown[:MOST]
        if reason.invoice in invoices
    ]
    if len(shown) > MOST:
        lines.append(_("et %(n)d autres") % {"n": len(shown) - MOST})
    return [Fact(None, "info", "", title, " · ".join(lines))]


def _short(reason: engine.Reason) -> str:
    until = french.date_text(reason.until) if reason.until else ""
    return {
        "PLAN_OFF": _("plan désactivé pour elle"),
        "DISPUTED": _("litige ouvert"),
        "PROMISED": _("promise pour le %(day)s") % {"day": until},
        "INVOICE_ON_HOLD": _("en attente jusqu’au %(day)s") % {"day": until},
        "BY_HAND_MODE": _("mode de paiement relancé à la main"),
        "BEFORE_JUDGMENT": _("antérieure au jugement"),
    }.get(reason.code, reason.code)

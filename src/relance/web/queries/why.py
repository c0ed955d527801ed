"""Pourquoi ? for one customer on one date: the answer, its proof, and what can be done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.accounts.access import Access
from relance.dunning.look import Look
from relance.dunning.models import Action, Assignment
from relance.engine import model as engine
from relance.engine import wording
from relance.ledger.models import Customer
from relance.web import french
from relance.web.queries.status import action_words
from relance.web.queries.why_words import answer, level_words, long_day, main_carrier

MOST = 5


class Fact(NamedTuple):
    """One line of the margin list."""

    when: date | None
    icon: str
    tone: str
    title: str
    detail: str = ""


@dataclass(frozen=True)
class Remedy:
    """A way out with its consequence in numbers; with `fields` its button posts them."""

    title: str
    detail: str
    action: str
    url: str
    fields: dict[str, str] = field(default_factory=dict)
    post: bool = False
    primary: bool = False


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
        facts(look),
        remedies(access, customer, look, today=today, actions=actions),
        codes(look),
    )


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


def facts(look: Look) -> list[Fact]:
    """What makes the answer true, each with its date."""
    found = [_customer_fact(reason) for reason in look.asked.decision.reasons]
    for carrier in look.asked.decision.carriers[:3]:
        found += _carrier_facts(look, carrier)
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


def _carrier_facts(look: Look, carrier: engine.Carrier) -> list[Fact]:
    on, plan = look.asked.on, look.asked.case.plan
    invoice = carrier.reference
    if plan is None:
        return []
    by_customer = plan.scope == "customer"
    title = (
        _("%(number)s est la facture porteuse")
        if by_customer
        else _("%(number)s suit le plan seule")
    )
    detail = (
        _("La plus ancienne échéance encore due, %(amount)s") if by_customer else "%(amount)s"
    ) % {"amount": french.money(invoice.balance, invoice.currency)}
    found = [Fact(invoice.due, "tick", "done", title % {"number": invoice.number}, detail)]
    step = carrier.step
    if step is None:
        words = _("Tous les niveaux du plan sont passés")
        return [
            *found,
            Fact(None, "info", "", words, _("Niveau atteint : %(n)d") % {"n": carrier.reached}),
        ]
    if carrier.trigger is not None:
        past = carrier.trigger <= on
        words = _("%(level)s est déclenché") if past else _("%(level)s n’est pas encore déclenché")
        found.append(
            Fact(
                carrier.trigger,
                "tick" if past else "clock",
                "done" if past else "",
                words % {"level": level_words(step)},
                _trigger_words(step, carrier),
            )
        )
    if (
        carrier.contact
        and carrier.earliest
        and carrier.trigger
        and carrier.earliest > carrier.trigger
    ):
        found.append(
            Fact(
                carrier.earliest,
                "pause",
                "warn",
                _("Délai minimum de contact"),
                _("%(contact)s + %(n)d jours : pas avant %(day)s")
                % {
                    "contact": french.date_text(carrier.contact, on),
                    "n": plan.min_contact_days,
                    "day": french.date_text(carrier.earliest, on, "weekday"),
                },
            )
        )
    if carrier.earliest and carrier.wanted and carrier.wanted > carrier.earliest:
        words = _("%(day)s n’est pas un jour ouvré") % {
            "day": french.date_text(carrier.earliest, on, "weekday")
        }
        found.append(
            Fact(
                carrier.wanted,
                "pause",
                "warn",
                words,
                _("Les envois automatiques attendent le jour ouvré suivant"),
            )
        )
    if carrier.code in {"NO_RECIPIENT", "NO_TEMPLATE", "PENDING_MANUAL"}:
        reason = wording.carrier_reason(carrier)
        if reason is not None:
            icon = "actions" if carrier.code == "PENDING_MANUAL" else "error"
            tone = "accent" if carrier.code == "PENDING_MANUAL" else "late"
            found.append(
                Fact(
                    carrier.wanted,
                    icon,
                    tone,
                    wording.sentence(reason, _),
                    wording.advice(reason, _),
                )
            )
    return found


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


def remedies(
    access: Access, customer: Customer, look: Look, *, today: date, actions: Sequence[Action]
) -> list[Remedy]:
    """What to do, from today, whatever date was asked."""
    slug = access.organisation.slug
    record = reverse("customer_detail", args=[slug, customer.pk])
    found: list[Remedy] = []
    mine = next((a for a in actions if any(o.pk == access.user.pk for o in a.owners.all())), None)
    if mine is not None:
        found.append(
            Remedy(
                _("Faire ce qui attend"),
                _("%(level)s, %(amount)s")
                % {
                    "level": f"{mine.level_name}{french.NBSP}({mine.level})",
                    "amount": french.money(mine.amount_cents, mine.currency),
                },
                _("Ouvrir"),
                reverse("today", args=[slug]) + f"?action={mine.pk}",
                primary=True,
            )
        )
    for reason in look.now.decision.reasons[:2]:
        found += _customer_remedies(access, customer, reason, record)
    found += _let_it_be(look, record, today)
    if any(r.code == "NO_RECIPIENT" for r in look.now.reasons):
        found.append(
            Remedy(
                _("Compléter ses contacts"),
                _("Le message partira au prochain départ."),
                _("Ouvrir"),
                f"{record}?onglet=contacts",
            )
        )
    found += _invoice_remedies(access, customer, look)
    found += _write_anyway(access, customer, look, today)
    found += _change_plan(access, customer, look)
    return found


def _customer_remedies(
    access: Access, customer: Customer, reason: engine.Reason, record: str
) -> list[Remedy]:
    slug, pk = access.organisation.slug, customer.pk
    plans = reverse("plan_list", args=[slug])
    match reason.code:
        case "EXCLUDED" if customer.to_review and not customer.excluded:
            return [
                Remedy(
                    _("Client vérifié"),
                    _("Ses relances suivront son plan."),
                    _("Confirmer"),
                    reverse("customer_reviewed", args=[slug, pk]),
                    post=True,
                )
            ]
        case "EXCLUDED":
            return [
                Remedy(
                    _("Lever l’exclusion"),
                    _("Ses relances suivront son plan."),
                    _("Lever"),
                    reverse("customer_exclude", args=[slug, pk]),
                    {"exclu": "0"},
                    post=True,
                )
            ]
        case "CUSTOMER_ON_HOLD":
            return [
                Remedy(
                    _("Lever l’attente"),
                    _("Sans cela, elle finit le %(day)s.")
                    % {"day": french.date_text(reason.until) if reason.until else ""},
                    _("Lever"),
                    reverse("customer_release", args=[slug, pk]),
                    post=True,
                )
            ]
        case "NO_PLAN" | "EMPTY_PLAN":
            return [
                Remedy(
                    _("Assigner un plan actif"),
                    _("Toutes ses factures le suivront."),
                    _("Choisir"),
                    f"{record}?onglet=definition#plan",
                )
            ]
        case "PLAN_PAUSED" | "BELOW_MINIMUM":
            return [Remedy(_("Revoir le plan"), wording.advice(reason, _), _("Ouvrir"), plans)]
        case "NO_OPEN_INVOICE":
            return [
                Remedy(
                    _("Ajouter ses factures"),
                    _("Une facture importée suit le plan aussitôt."),
                    _("Importer"),
                    reverse("import_list", args=[slug]),
                )
            ]
        case "BALANCE_NOT_POSITIVE":
            cents, currency = (
                reason.facts.get("credits", 0),
                str(reason.facts.get("currency", "EUR")),
            )
            amount = french.money(int(cents), currency) if isinstance(cents, int) else ""
            return [
                Remedy(
                    _("Imputer ses avoirs"),
                    _("%(amount)s à répartir sur ses factures.") % {"amount": amount},
                    _("Imputer"),
                    f"{record}?onglet=factures#avoirs",
                )
            ]
    return []


def _let_it_be(look: Look, record: str, today: date) -> list[Remedy]:
    if not look.planned or not look.planned[0].action.automatic:
        return []
    first = look.planned[0]
    count = len(first.action.invoices)
    detail = _("Part %(day)s, %(count)s, %(amount)s") % {
        "day": long_day(first.on, today),
        "count": french.counted(count, _("facture"), _("factures")),
        "amount": french.money(first.action.amount, first.action.currency),
    }
    return [Remedy(_("Laisser faire"), detail, _("Lire le message"), f"{record}apercu/")]


def _invoice_remedies(access: Access, customer: Customer, look: Look) -> list[Remedy]:
    slug = access.organisation.slug
    invoices = {one.id: one for one in look.now.case.invoices}
    found = []
    for reason in look.now.decision.invoice_reasons:
        invoice = invoices.get(reason.invoice) if reason.invoice is not None else None
        if invoice is None or len(found) == 2:
            continue
        amount = french.money(invoice.balance, invoice.currency)
        detail = _("%(amount)s seront de nouveau relancés.") % {"amount": amount}
        if reason.code == "DISPUTED":
            found.append(
                Remedy(
                    _("Clore le litige de %(n)s") % {"n": invoice.number},
                    detail,
                    _("Clore"),
                    reverse("invoice_resolve", args=[slug, invoice.id]),
                    post=True,
                )
            )
        elif reason.code in {"PROMISED", "INVOICE_ON_HOLD"}:
            found.append(
                Remedy(
                    _("Reprendre %(n)s") % {"n": invoice.number},
                    detail,
                    _("Lever"),
                    reverse("invoice_release", args=[slug, invoice.id]),
                    post=True,
                )
            )
        elif reason.code == "PLAN_OFF":
            found.append(
                Remedy(
                    _("Réactiver le plan pour %(n)s") % {"n": invoice.number},
                    detail,
                    _("Réactiver"),
                    reverse("invoice_plan_switch", args=[slug, invoice.id]),
                    {"plan_on": "1", "fiche": "1"},
                    post=True,
                )
            )
    return found


def _write_anyway(access: Access, customer: Customer, look: Look, today: date) -> list[Remedy]:
    if not any(one.balance > 0 for one in look.now.case.invoices):
        return []
    url = reverse("customer_write", args=[access.organisation.slug, customer.pk])
    detail = _("Un message libre, sans changer de niveau.")
    before = look.planned[0] if look.planned else None
    if before is not None:
        after = next((p for p in look.after_writing if p.action.key == before.action.key), None)
        if after is None:
            detail = _("%(what)s ne partira plus.") % {"what": before.action.name}
        elif after.on > before.on:
            detail = _("Le niveau %(n)d glissera au %(day)s.") % {
                "n": after.action.level,
                "day": french.date_text(after.on, today, "weekday"),
            }
        else:
            detail = _("Le niveau %(n)d reste prévu %(day)s.") % {
                "n": after.action.level,
                "day": long_day(after.on, today),
            }
    return [Remedy(_("Écrire aujourd’hui quand même"), detail, _("Relancer"), url)]


def _change_plan(access: Access, customer: Customer, look: Look) -> list[Remedy]:
    """When the delay holds a level back, both changes that would free it (S3-25)."""
    carrier = main_carrier(look.now.decision)
    plan = look.now.case.plan
    if carrier is None or plan is None or carrier.code != "MIN_CONTACT_DELAY":
        return []
    if not (carrier.step and carrier.trigger and carrier.earliest and carrier.contact):
        return []
    clients = access.all(Assignment).filter(plan_id=plan.id).count()
    offset = (carrier.earliest - carrier.reference.due).days
    shorter = (carrier.trigger - carrier.contact).days
    count = french.counted(clients, _("client"), _("clients"))
    detail = _("Niveau %(level)d à J+%(offset)d") % {"level": carrier.step.level, "offset": offset}
    if shorter >= 0:
        detail += _(" ou DMC de %(days)s") % {"days": french.days(shorter)}
    detail += f"{french.NBSP}: {count}"
    url = reverse("plan_list", args=[access.organisation.slug])
    return [Remedy(_("Changer le plan %(name)s") % {"name": plan.name}, detail, _("Ouvrir"), url)]


__all__ = ["Fact", "Remedy", "Why", "action_words", "why"]

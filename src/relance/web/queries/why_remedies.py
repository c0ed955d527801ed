"""Que faire ? Each way out with its consequence in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.dunning.models import Action, Assignment
from relance.dunning.queries import Look
from relance.engine import model as engine
from relance.engine import wording
from relance.ledger.models import Customer
from relance.web import french
from relance.web.queries.why_words import long_day, main_carrier


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


def remedies(
    access: Access, customer: Customer, look: Look, *, today: date, actions: Sequence[Action]
) -> list[Remedy]:
    """What to do about today's answer, or that of a day to come."""
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
        found += _customer_remedies(access, customer, reason, record, look.now.case.plan)
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
    access: Access,
    customer: Customer,
    reason: engine.Reason,
    record: str,
    plan: engine.Plan | None,
) -> list[Remedy]:
    slug, pk = access.organisation.slug, customer.pk
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
                ),
                *_campaign(access, customer),
            ]
        case _:
            return _ledger_remedies(access, customer, reason, record, plan)


def _campaign(access: Access, customer: Customer) -> list[Remedy]:
    """Where no relance can trigger, a campaign is the remedy (S3-04, S3-05)."""
    if not access.can_write:
        return []
    url = reverse("campaign_new", args=[access.organisation.slug]) + f"?client={customer.pk}"
    detail = _("Un message à vous, sans facture due ni plan.")
    return [Remedy(_("Lui écrire par une campagne"), detail, _("Campagne"), url)]


def _ledger_remedies(
    access: Access,
    customer: Customer,
    reason: engine.Reason,
    record: str,
    plan: engine.Plan | None,
) -> list[Remedy]:
    """What can be done about his plan, his invoices and his credits."""
    slug = access.organisation.slug
    plans = reverse("plan_detail", args=[slug, plan.id]) if plan else ""
    match reason.code:
        case "PLAN_PAUSED" | "BELOW_MINIMUM":
            return [Remedy(_("Revoir le plan"), wording.advice(reason, _), _("Ouvrir"), plans)]
        case "NO_OPEN_INVOICE":
            return [
                Remedy(
                    _("Ajouter ses factures"),
                    _("Une facture importée suit le plan aussitôt."),
                    _("Importer"),
                    reverse("import_list", args=[slug]),
                ),
                *_campaign(access, customer),
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
                ),
                Remedy(
                    _("Signaler un écart"),
                    _("Une note avec son nom et les références, pour qui tient les comptes."),
                    _("Écrire"),
                    f"{record}?onglet=historique&note=ecart",
                ),
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
    found: list[Remedy] = []
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
    owed = any(one.balance > 0 for one in look.now.case.invoices)
    if not owed or not access.can_write:
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
    # An abbreviated month at the end of a sentence already has its full stop.
    told = detail.replace("..", ".")
    return [Remedy(_("Écrire aujourd’hui quand même"), told, _("Relancer"), url)]


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
    url = reverse("plan_detail", args=[access.organisation.slug, plan.id])
    return [Remedy(_("Changer le plan %(name)s") % {"name": plan.name}, detail, _("Ouvrir"), url)]

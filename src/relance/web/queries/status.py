"""The state of a customer at the top right of his page, in its four forms (S3-03 to S3-19)."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.access import Access
from relance.dunning.look import Look
from relance.dunning.models import Action, Channel, Run
from relance.dunning.run import next_departure
from relance.engine import model as engine
from relance.engine import wording
from relance.engine.forecast import Planned
from relance.ledger.models import Customer
from relance.web import french
from relance.web.queries.today import waiting_actions

STOPS = frozenset(engine.CUSTOMER_CODES)


class State(NamedTuple):
    """`kind`: none, pending, between or coming. `url` is where the title leads, if anywhere.

    `owners`: who is to do the pending action, shown to the others on hover and focus (S3-10).
    """

    kind: str
    title: str
    detail: str = ""
    url: str = ""
    remedy: str = ""
    remedy_url: str = ""
    owners: str = ""


def open_actions(access: Access, customer: Customer) -> list[Action]:
    """His open to-do, the oldest first, with their owners."""
    return list(
        waiting_actions(access)
        .filter(customer=customer)
        .prefetch_related("owners")
        .order_by("due_on", "id")
    )


def state_of(
    access: Access, customer: Customer, look: Look, actions: list[Action], *, now: datetime
) -> State:
    """What comes next, in the words of S3: pending first, then why nothing, then when."""
    today = clock.local_date(access.organisation, now)
    if actions:
        return _pending(access, actions, today)
    decision = look.now.decision
    if decision.reasons and not decision.carriers:
        return _nothing(access, customer, decision.reasons[0])
    coming = _coming(access, look, today, now)
    if coming is not None:
        return coming
    url = reverse("customer_write", args=[access.organisation.slug, customer.pk])
    return State("between", _("Relancer"), _next_words(look, today), url=url)


def pending_title(channel: str) -> str:
    """`E-mail à envoyer`, `Appel à faire`: the type of the action, then what it asks (S3-07)."""
    label = str(Channel(channel).label) if channel in Channel else channel
    sent = channel in engine.ADDRESSED_CHANNELS
    words = _("%(type)s à envoyer") if sent else _("%(type)s à faire")
    return words % {"type": label}


def _pending(access: Access, actions: list[Action], today: date) -> State:
    first = actions[0]
    owners = list(first.owners.all())
    mine = any(owner.pk == access.user.pk for owner in owners)
    detail = _("%(level)s, %(amount)s, depuis le %(day)s") % {
        "level": f"{first.level_name}{french.NBSP}({first.level})",
        "amount": french.money(first.amount_cents, first.currency),
        "day": french.date_text(first.due_on, today),
    }
    if len(actions) > 1:
        detail += (
            _(" et %(n)d autres") % {"n": len(actions) - 1}
            if len(actions) > 2
            else _(" et une autre")
        )
    return State(
        "pending",
        pending_title(first.channel),
        detail,
        url=reverse("today", args=[access.organisation.slug]) + f"?action={first.pk}"
        if mine
        else "",
        owners=", ".join(str(owner) for owner in owners) or _("personne"),
    )


def _nothing(access: Access, customer: Customer, reason: engine.Reason) -> State:
    """State 1 with its reason and the way out (S3-04 to S3-06)."""
    slug = access.organisation.slug
    record = reverse("customer_detail", args=[slug, customer.pk])
    remedies = {
        "NO_OPEN_INVOICE": (_("Importer des factures"), reverse("import_list", args=[slug])),
        "NO_PLAN": (_("Assigner un plan"), f"{record}?onglet=definition#plan"),
        "EMPTY_PLAN": (_("Assigner un plan actif"), f"{record}?onglet=definition#plan"),
        "PLAN_PAUSED": (_("Ouvrir les plans"), reverse("plan_list", args=[slug])),
        "BELOW_MINIMUM": (_("Ouvrir les plans"), reverse("plan_list", args=[slug])),
        "BALANCE_NOT_POSITIVE": (_("Imputer les avoirs"), f"{record}?onglet=factures#avoirs"),
        "EXCLUDED": (_("Lever l’exclusion"), f"{record}?onglet=definition#relances"),
        "CUSTOMER_ON_HOLD": (_("Lever l’attente"), f"{record}?onglet=definition#relances"),
        "NOTHING_CHASEABLE": (_("Voir pourquoi"), f"{record}#pourquoi"),
    }
    remedy, url = remedies.get(reason.code, ("", ""))
    sentence = wording.sentence(reason, _)
    if reason.code == "EXCLUDED" and not customer.excluded and customer.to_review:
        sentence = _("Ce client vient d’un FEC et reste à vérifier avant toute relance.")
        remedy = _("Vérifier")
    return State("none", _("Aucune action à effectuer"), sentence, remedy=remedy, remedy_url=url)


def _coming(access: Access, look: Look, today: date, now: datetime) -> State | None:
    """From 24 hours before an automatic action leaves (S3-18, D-19)."""
    planned = next((one for one in look.planned if one.action.automatic), None)
    if planned is None or planned is not look.planned[0]:
        return None
    on = departure_day(access, planned, today, now)
    if clock.local_moment(access.organisation, on) - now > timedelta(hours=24):
        return None
    return State(
        "coming",
        _("Prochaine action (automatique) le %(day)s") % {"day": french.date_text(on)},
        action_words(planned.action),
    )


def departure_day(access: Access, planned: Planned, today: date, now: datetime) -> date:
    """The day it leaves: that of the plan, or the next departure when today's has gone."""
    if planned.on > today:
        return planned.on
    gone = access.all(Run).filter(on=today, finished_at__isnull=False).exists()
    if not gone and now < clock.local_moment(access.organisation, today) + timedelta(hours=10):
        return planned.on
    return clock.local_date(access.organisation, next_departure(access.organisation, now))


def action_words(action: engine.Action) -> str:
    """`Dernier rappel (3), e-mail, 4 358,60 €`."""
    channel = _(wording.CHANNELS.get(action.channel, action.channel))
    return (
        f"{action.name or _('Niveau')}{french.NBSP}({action.level}), {channel}, "
        f"{french.money(action.amount, action.currency)}"
    )


def _next_words(look: Look, today: date) -> str:
    """Under Relancer: the next planned action, automatic or manual (S3-19), or the end."""
    if not look.planned:
        ended = any(carrier.code == "END_OF_PLAN" for carrier in look.now.decision.carriers)
        return (
            _("Fin du plan : à vous de choisir la suite.")
            if ended
            else _("Rien n’est prévu dans les 60 jours.")
        )
    first = look.planned[0]
    words = (
        _("Prochaine action automatique planifiée le %(day)s : %(what)s")
        if first.action.automatic
        else _("Prochaine action manuelle planifiée le %(day)s : %(what)s")
    )
    return words % {
        "day": french.date_text(first.on, today),
        "what": f"{first.action.name or _('Niveau')}{french.NBSP}({first.action.level})",
    }

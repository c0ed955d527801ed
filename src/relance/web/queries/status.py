"""The state of a customer at the top right of his page, in its four forms (S3-03 to S3-19)."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.access import Access
from relance.dunning.facts.gather import HELD
from relance.dunning.facts.hours import next_departure
from relance.dunning.models import Action, Channel, Run
from relance.dunning.queries import Look
from relance.dunning.recovery import handing
from relance.engine import model as engine
from relance.engine import wording
from relance.engine.forecast import Planned
from relance.ledger.models import Customer
from relance.outbox.models import Message
from relance.web import french
from relance.web.queries.today import waiting_actions
from relance.web.queries.why_words import set_aside_words

STOPS = frozenset(engine.CUSTOMER_CODES)


class Way(NamedTuple):
    """A way out: its words and where it leads."""

    label: str
    url: str


class State(NamedTuple):
    """`kind`: none, pending, between or coming. `url` is where the title leads, if anywhere.

    `ways`: what one may do when nothing is to be done by itself.
    `owners`: who is to do the pending action, shown to the others on hover and focus (S3-10).
    """

    kind: str
    title: str
    detail: str = ""
    url: str = ""
    ways: tuple[Way, ...] = ()
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
    if look.now.message is not None:
        return _written(access, look.now.message, today)
    decision = look.now.decision
    if decision.reasons and not decision.carriers:
        return _nothing(access, customer, decision.reasons[0], decision)
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


def _nothing(
    access: Access, customer: Customer, reason: engine.Reason, decision: engine.Decision
) -> State:
    """State 1 with its reason and the ways out (S3-04 to S3-06)."""
    slug = access.organisation.slug
    record = reverse("customer_detail", args=[slug, customer.pk])
    campaign = Way(
        _("Écrire par une campagne"),
        reverse("campaign_new", args=[slug]) + f"?client={customer.pk}",
    )
    plan = Way(_("Assigner un plan"), f"{record}?onglet=definition#plan")
    plans = Way(_("Ouvrir les plans"), reverse("plan_list", args=[slug]))
    unapplied = Way(_("Imputer les avoirs"), f"{record}?onglet=factures#avoirs")
    gap = Way(_("Signaler un écart"), f"{record}?onglet=historique&note=ecart")
    relances = f"{record}?onglet=definition#relances"
    ways = {
        "NO_OPEN_INVOICE": [
            campaign,
            Way(_("Importer des factures"), reverse("import_list", args=[slug])),
        ],
        "NO_PLAN": [plan, campaign],
        "EMPTY_PLAN": [Way(_("Assigner un plan actif"), plan.url), campaign],
        "PLAN_PAUSED": [plans],
        "BELOW_MINIMUM": [plans],
        "BALANCE_NOT_POSITIVE": [unapplied, gap],
        "EXCLUDED": [Way(_("Lever l’exclusion"), relances)],
        "CUSTOMER_ON_HOLD": [Way(_("Lever l’attente"), relances)],
        "NOTHING_CHASEABLE": [Way(_("Que faire\u202f?"), f"{record}?onglet=pourquoi#pourquoi")],
    }.get(reason.code, [])
    sentence = wording.sentence(reason, _)
    if reason.code == "NOTHING_CHASEABLE":
        sentence = set_aside_words(decision)
    if reason.code == "EXCLUDED" and not customer.excluded and customer.to_review:
        sentence = _("Ce client vient d’un FEC et reste à vérifier avant toute relance.")
        ways = [Way(_("Vérifier"), relances)]
    if reason.code == "EXCLUDED" and (handed := handing.handed(customer)) is not None:
        sentence = _("Dossier de recouvrement remis le %(day)s.") % {
            "day": french.date_text(handed.on)
        }
        ways = [Way(_("Voir le dossier"), reverse("recovery_customer", args=[slug, customer.pk]))]
    return State("none", _("Aucune action à effectuer"), sentence, ways=tuple(ways))


def _written(access: Access, message: Message, today: date) -> State:
    """A step that is written and has not left: it waits for a person, or for its minute."""
    what = f"{message.level_name or _('Niveau')}{french.NBSP}({message.level}), " + french.money(
        message.amount_cents, message.currency
    )
    if message.status in HELD:
        label = str(Channel(message.channel).label) if message.channel in Channel else ""
        url = reverse("before_message", args=[access.organisation.slug, message.pk])
        title = _("%(type)s à approuver") % {"type": label or _("Message")}
        return State("pending", title, what, url=url if access.can_write else "")
    at = timezone.localtime(message.not_before)
    title = _("Prochaine action (automatique) le %(day)s") % {"day": french.date_text(at.date())}
    detail = _("%(what)s, à partir de %(hour)s") % {"what": what, "hour": at.strftime("%H:%M")}
    return State("coming", title, detail)


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
            _("Fin du plan\u00a0: à vous de choisir la suite.")
            if ended
            else _("Rien n’est prévu dans les 60 jours.")
        )
    first = look.planned[0]
    words = (
        _("Prochaine action automatique planifiée le %(day)s\u00a0: %(what)s")
        if first.action.automatic
        else _("Prochaine action manuelle planifiée le %(day)s\u00a0: %(what)s")
    )
    return words % {
        "day": french.date_text(first.on, today),
        "what": f"{first.action.name or _('Niveau')}{french.NBSP}({first.action.level})",
    }

"""What a plan would do, drawn before it is saved: for a model invoice, and for its customers."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning import templating
from relance.dunning.gather import Window, cases, plans_of, rules_of
from relance.dunning.models import Assignment, Channel, Plan, Template
from relance.engine import model as engine
from relance.engine.calendar import is_working_day
from relance.engine.decide import decide
from relance.engine.forecast import Slip as EngineSlip
from relance.engine.forecast import model_forecast, slips
from relance.web import french
from relance.web.drawing import Guard, Line, Mark, Slip, TimeAxis, fluid_axis
from relance.web.templatetags.relance import CHANNEL_ICONS

LOOKED_AT = 200
"""Customers whose next date is compared before saving; beyond, the bar says "at least"."""


class Departure(NamedTuple):
    """When a level leaves for a model invoice; `late`: days that the DMC adds."""

    level: int
    words: str
    late: int
    never: bool


class SlipWarning(NamedTuple):
    """A level that slips, with its two remedies: another trigger, or a shorter delay."""

    level: int
    strong: str
    text: str
    trigger: int
    min_contact_days: int | None


class Sketch(NamedTuple):
    """Everything that follows from a plan being typed."""

    drawing: str
    departures: list[Departure]
    warnings: list[SlipWarning]
    notes: list[str]


def j(days: int) -> str:
    """`J+7`, `J−3`, `J`."""
    if days == 0:
        return "J"
    return f"J+{days}" if days > 0 else f"J{french.MINUS}{-days}"


def sketch(organisation: Organisation, plan: engine.Plan, *, due: date, today: date) -> Sketch:
    """The plan applied to an invoice due on `due`: picture, dates, slips and what to mend."""
    if not plan.steps:
        return Sketch("", [], [], [])
    rules = rules_of(organisation)
    planned = {p.action.level: p for p in reversed(model_forecast(plan, due, rules))}
    slipping = {slip.level: slip for slip in slips(plan, due)}
    departures = []
    for step in plan.steps:
        on = planned.get(step.level)
        slip = slipping.get(step.level)
        words = french.date_text(on.on, today, "weekday") if on else _("jamais")
        if on and slip and slip.days:
            words = f"{j((on.on - due).days)}, {words}"
        departures.append(Departure(step.level, words, (slip.days or 0) if slip else 0, on is None))
    days = {level: p.on for level, p in planned.items()}
    return Sketch(
        _draw(organisation, plan, due, days, slipping, today),
        departures,
        [
            _warning(plan, slip, plan.steps[slip.level - 1])
            for slip in slipping.values()
            if slip.days and slip.real_day is not None
        ],
        _notes(organisation, plan),
    )


def _warning(plan: engine.Plan, slip: EngineSlip, step: engine.Step) -> SlipWarning:
    previous = plan.steps[slip.level - 2]
    real = slip.real_day or 0
    gap = plan.min_contact_days - (slip.days or 0)
    return SlipWarning(
        slip.level,
        _("Le %(name)s (%(level)d) partira à %(real)s, pas à %(wanted)s.")
        % {"name": step.name, "level": step.level, "real": j(real), "wanted": j(slip.trigger_day)},
        _("Le %(name)s (%(level)d) le précède de trop près, le DMC est de %(n)d jours.")
        % {"name": previous.name, "level": previous.level, "n": plan.min_contact_days},
        real if step.anchor == "due" else step.days + (slip.days or 0),
        gap if gap >= 0 else None,
    )


def _notes(organisation: Organisation, plan: engine.Plan) -> list[str]:
    """Words that would mean nothing before the due date."""
    early = {step.level for step in plan.steps if step.days < 0}
    if not early or not plan.id:
        return []
    found = []
    for template in Template.objects.filter(
        organisation=organisation, steps__plan_id=plan.id, steps__level__in=early
    ).distinct():
        names = templating.overdue_names(template.subject + template.body)
        if names:
            found.append(
                _("Le modèle « %(template)s » part avant l’échéance et parle de %(names)s.")
                % {"template": template.name, "names": ", ".join(names)}
            )
    return found


def _draw(
    organisation: Organisation,
    plan: engine.Plan,
    due: date,
    days: dict[int, date],
    slipping: dict[int, EngineSlip],
    today: date,
) -> str:
    steps = [step for step in plan.steps if step.level in days]
    if not steps:
        return ""
    start = min(due, *days.values()) - timedelta(days=4)
    end = max(due, *days.values()) + timedelta(days=max(plan.min_contact_days, 3) + 2)
    span = (start + timedelta(n) for n in range((end - start).days + 1))
    marks = tuple(
        Mark(
            days[step.level],
            "auto" if step.automatic else "manual",
            f"{step.name}{french.NBSP}({step.level})",
            f"{j((days[step.level] - due).days)}, "
            f"{french.date_text(days[step.level], today, 'weekday')}",
            str(step.level),
            CHANNEL_ICONS.get(step.channel, "task"),
        )
        for step in steps
    )
    moved = tuple(
        Slip(
            due + timedelta(slip.trigger_day),
            days[slip.level],
            f"{j(slip.trigger_day)} → {j((days[slip.level] - due).days)}",
            str(slip.level),
        )
        for slip in slipping.values()
        if slip.days and slip.level in days
    )
    return fluid_axis(
        TimeAxis(
            start=start,
            end=end,
            title=_("Le plan autour de l’échéance"),
            description=", ".join(f"{mark.label} {mark.detail}" for mark in marks),
            style="plan",
            marks=marks,
            guards=tuple(
                Guard(days[s.level], plan.min_contact_days)
                for s in steps
                if s.channel != Channel.TASK and plan.min_contact_days
            ),
            slips=moved,
            lines=(Line(due, _("Échéance"), french.date_text(due, today, "weekday")),),
            rest_days=frozenset(d for d in span if not is_working_day(organisation.zone, d)),
        )
    )


class Change(NamedTuple):
    """What saving would do to those who follow the plan."""

    followers: int
    looked_at: int
    moved: int


def change(organisation: Organisation, plan: Plan, new: engine.Plan, *, on: date) -> Change:
    """How many customers follow the plan, and how many of their next steps would move."""
    followers = Assignment.objects.filter(plan=plan)
    ids: Sequence[int] = list(
        followers.order_by("customer_id").values_list("customer_id", flat=True)[:LOOKED_AT]
    )
    if not ids:
        return Change(0, 0, 0)
    rules = rules_of(organisation)
    moved = 0
    for case in cases(organisation, on, Window(ids=tuple(ids)), plans_of(organisation)):
        before = _dates(decide(case, on, rules))
        after = _dates(decide(case._replace(plan=new), on, rules))
        moved += before != after
    return Change(followers.count(), len(ids), moved)


def _dates(decision: engine.Decision) -> list[tuple[engine.Id, int, date | None]]:
    return [
        (carrier.reference.id, carrier.step.level if carrier.step else 0, carrier.leaves)
        for carrier in decision.carriers
    ]

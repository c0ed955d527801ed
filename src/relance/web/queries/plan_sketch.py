"""What a plan would do, drawn before it is saved: for a model invoice, and for its customers."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning.facts.gather import Window, cases, plans_of, rules_of
from relance.dunning.models import Assignment, Plan, Step, Template
from relance.dunning.wording import templating
from relance.engine import model as engine
from relance.engine.calendar import is_working_day
from relance.engine.decide import decide
from relance.engine.forecast import Slip as EngineSlip
from relance.engine.forecast import model_forecast, slips
from relance.web import french
from relance.web.drawing import Guard, Line, Mark, Slip, TimeAxis, fluid_axis, legend
from relance.web.templatetags.relance import CHANNEL_ICONS

LOOKED_AT = 200
"""Customers whose next date is compared before saving; beyond, the bar says "at least"."""


EXAMPLES = 8
"""Customers named under "Lesquels ?"."""
RESTS_DRAWN = 400
"""Days; on a longer picture a week-end would be thinner than a line."""


class Departure(NamedTuple):
    """When a level leaves for a model invoice; `late`: days that the DMC adds."""

    level: int
    words: str
    late: int
    never: bool


class SlipWarning(NamedTuple):
    """A level that slips, with its two remedies (S3-25): another trigger, or a shorter delay.

    `trigger` in days from the due date (negative before) or from the level's own anchor, None
    when no trigger helps; `delay` the DMC in calendar days that would let it leave in time.
    """

    level: int
    strong: str
    text: str
    trigger: int | None
    trigger_words: str
    delay: int | None


class Sketch(NamedTuple):
    """Everything that follows from a plan being typed; `hints`: a sentence per level."""

    drawing: str
    departures: list[Departure]
    warnings: list[SlipWarning]
    hints: dict[int, str]
    legend: str = ""


def sample_due(today: date) -> date:
    """The due date of the model invoice: the last Friday, with few rest days in between."""
    return today - timedelta(days=(today.weekday() - 4) % 7)


def j(days: int) -> str:
    """`J+7`, `J−3`, `J`."""
    return french.from_due(days)


def sketch(
    organisation: Organisation,
    plan: engine.Plan,
    rows: Sequence[Step],
    *,
    due: date,
    today: date,
) -> Sketch:
    """The plan applied to an invoice due on `due`: picture, dates, slips and what to mend."""
    if not plan.steps:
        return Sketch("", [], [], {})
    planned = {
        p.action.level: p.on for p in reversed(model_forecast(plan, due, rules_of(organisation)))
    }
    slipping = {slip.level: slip for slip in slips(plan, due)}
    delays = delays_for(plan, slipping, due)
    departures = []
    for step in plan.steps:
        on = planned.get(step.level)
        slip = slipping.get(step.level)
        late = (slip.days or 0) if slip else 0
        words = french.date_text(on, today, "weekday") if on else _("jamais")
        if on and late:
            words = f"{j((on - due).days)}, {words}"
        departures.append(Departure(step.level, words, late, on is None))
    return Sketch(
        _draw(organisation, plan, due, planned, slipping, today),
        departures,
        [
            _warning(plan, slip, due, planned.get(slip.level), delays.get(slip.level))
            for slip in slipping.values()
        ],
        _hints(organisation, rows),
        _legend(plan),
    )


def _legend(plan: engine.Plan) -> str:
    guard = _("DMC\u00a0: aucun message pendant %(n)s") % {"n": french.days(plan.min_contact_days)}
    entries: list[tuple[Literal["auto", "manual", "guard", "rest"], str]] = [
        ("auto", _("automatique")),
        ("manual", _("à la main")),
        ("guard", guard),
        ("rest", _("jours de repos")),
    ]
    return legend(entry for entry in entries if plan.min_contact_days or entry[0] != "guard")


def _warning(
    plan: engine.Plan, slip: EngineSlip, due: date, leaves: date | None, delay: int | None
) -> SlipWarning:
    """`leaves`: the date that the calendar makes of it, days of rest included."""
    step = plan.steps[slip.level - 1]
    name = f"{step.name}{french.NBSP}({step.level})"
    if slip.real_day is None:
        return SlipWarning(
            slip.level,
            _("%(name)s ne partira jamais.") % {"name": name},
            _("Le niveau suivant le rattrape avant la fin du DMC de %(n)d jours.")
            % {"n": plan.min_contact_days},
            None,
            "",
            delay,
        )
    calendar = (leaves - due).days if leaves else slip.real_day
    rest = _(" Ici, les jours de repos le portent à %(day)s.") % {"day": j(calendar)}
    from_due = step.anchor == "due"
    trigger = slip.real_day if from_due else step.days + (slip.days or 0)
    return SlipWarning(
        slip.level,
        _("%(name)s partira à %(real)s, pas à %(wanted)s.")
        % {"name": name, "real": j(slip.real_day), "wanted": j(slip.trigger_day)},
        _("%(name)s part à %(day)s, le DMC est de %(n)d jours.")
        % {
            "name": _before(plan, slip.level),
            "day": j(slip.real_day - plan.min_contact_days),
            "n": plan.min_contact_days,
        }
        + (rest if calendar != slip.real_day else ""),
        trigger,
        j(trigger) if from_due else french.days(trigger),
        delay,
    )


def _before(plan: engine.Plan, level: int) -> str:
    """The level whose contact holds this one back: a task is no contact."""
    spoken = [s for s in plan.steps if s.level < level and s.channel != "task"]
    return f"{spoken[-1].name}{french.NBSP}({spoken[-1].level})" if spoken else ""


def delays_for(plan: engine.Plan, levels: Iterable[int], due: date) -> dict[int, int]:
    """For each level, the longest shorter DMC with which it leaves at its trigger, if there is one.

    Every DMC is tried once for all levels, from the longest, until none slips any more.
    """
    found: dict[int, int] = {}
    waiting = set(levels)
    for delay in range(plan.min_contact_days - 1, -1, -1):
        if not waiting:
            break
        held = {slip.level for slip in slips(plan._replace(min_contact_days=delay), due)}
        found |= dict.fromkeys(waiting - held, delay)
        waiting &= held
    return found


def _hints(organisation: Organisation, rows: Sequence[Step]) -> dict[int, str]:
    """What is odd about a level without being refused: no words (S4-11), or words of lateness."""
    early = {row.template_id for row in rows if row.days < 0 and row.template_id}
    names = {
        template.pk: templating.overdue_names(template.subject + template.body)
        for template in Template.objects.filter(organisation=organisation, pk__in=early)
    }
    found = {}
    for row in rows:
        if row.channel in engine.ADDRESSED_CHANNELS and not row.template_id:
            found[row.level] = _("Sans modèle, rien ne part\u00a0: une personne devra écrire.")
        elif row.days < 0 and names.get(row.template_id or 0):
            found[row.level] = _(
                "Ce texte parle de retard (%(names)s) et part avant l’échéance."
            ) % {"names": ", ".join(names[row.template_id or 0])}
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
    length = (end - start).days + 1
    span = (start + timedelta(n) for n in range(length if length <= RESTS_DRAWN else 0))
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
                if s.channel != "task" and plan.min_contact_days
            ),
            slips=moved,
            lines=(Line(due, _("Échéance"), french.date_text(due, today, "weekday")),),
            rest_days=frozenset(d for d in span if not is_working_day(organisation.zone, d)),
        )
    )


class Moved(NamedTuple):
    """A customer whose next step would leave on another date (None: not at all)."""

    pk: int
    name: str
    before: date | None
    after: date | None


class Change(NamedTuple):
    """What saving would do to those who follow the plan.

    `moved`: planned messages and actions whose day or level changes; `examples`: the first
    customers concerned.
    """

    followers: int
    looked_at: int = 0
    moved: int = 0
    examples: tuple[Moved, ...] = ()


def followers_of(plan: Plan) -> Change:
    """Who follows the plan, nothing compared."""
    return Change(plan.assignments.count() if plan.pk else 0)


def change(organisation: Organisation, plan: Plan, new: engine.Plan, *, on: date) -> Change:
    """How many customers follow the plan, and how many of their next steps would move."""
    followers = Assignment.objects.filter(plan=plan)
    names = dict(
        followers.order_by("customer_id").values_list("customer_id", "customer__name")[:LOOKED_AT]
    )
    if not names:
        return Change(0)
    rules = rules_of(organisation)
    moved = []
    count = 0
    for case in cases(organisation, on, Window(ids=tuple(names)), plans_of(organisation)):
        before = _dates(decide(case, on, rules))
        after = _dates(decide(case._replace(plan=new), on, rules))
        changed = [key for key in before | after if before.get(key) != after.get(key)]
        if changed:
            count += len(changed)
            pk = int(case.customer)
            moved.append(Moved(pk, names[pk], _first(before), _first(after)))
    return Change(followers.count(), len(names), count, tuple(moved[:EXAMPLES]))


def _dates(decision: engine.Decision) -> dict[engine.Id, tuple[int, date]]:
    """Level and day of what each carrier will do, by its reference."""
    return {
        carrier.reference.id: (carrier.step.level, carrier.leaves)
        for carrier in decision.carriers
        if carrier.step and carrier.leaves
    }


def _first(dates: dict[engine.Id, tuple[int, date]]) -> date | None:
    return min((leaves for _level, leaves in dates.values()), default=None)

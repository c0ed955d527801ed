"""The two pictures of a customer's page: the reason of a day, and the next sixty days."""

from datetime import date, timedelta

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning.queries import Look
from relance.engine.calendar import is_working_day
from relance.engine.schedule import impossible
from relance.web import french
from relance.web.drawing import Guard, Line, Mark, TimeAxis, responsive, time_axis
from relance.web.queries.why_words import main_carrier

DAYS = 60
_LONGEST = 16
_LABEL_DAYS = 14
"""Room for the name of the last step before the note of the end of the plan."""


def _rest(organisation: Organisation, start: date, end: date) -> frozenset[date]:
    span = (start + timedelta(n) for n in range((end - start).days + 1))
    return frozenset(day for day in span if not is_working_day(organisation.zone, day))


def reason_picture(organisation: Organisation, look: Look, *, today: date) -> str:
    """Last contact, guard band, trigger, departure and the day asked; "" when nothing is dated."""
    asked = look.asked
    carrier, plan = main_carrier(asked.decision), asked.case.plan
    if carrier is None or plan is None or carrier.step is None or carrier.leaves is None:
        return ""
    leaves = carrier.leaves
    near = [
        day
        for day in (carrier.contact, carrier.trigger)
        if day and abs((day - asked.on).days) <= _LONGEST
    ]
    start = min([asked.on, *near, leaves]) - timedelta(days=2)
    end = max([asked.on, *near, leaves]) + timedelta(days=2)
    long = (end - start).days > _LONGEST
    marks = []
    contact = carrier.contact
    if contact and start <= contact <= end:
        marks.append(Mark(contact, "contact", _("contact")))
    if carrier.trigger and carrier.trigger != leaves and start <= carrier.trigger <= end:
        days = (carrier.trigger - carrier.reference.due).days
        marks.append(Mark(carrier.trigger, "wanted", french.from_due(days)))
    automatic = carrier.step.automatic and not impossible(carrier.step, asked.case.unreachable)
    word = _("départ") if automatic else _("à faire")
    marks.append(Mark(leaves, "auto" if automatic else "manual", word))
    guards = (Guard(contact, plan.min_contact_days),) if contact and plan.min_contact_days else ()
    told = [f"{mark.label} {french.date_text(mark.day, today)}" for mark in marks]
    axis = TimeAxis(
        start=start,
        end=end,
        title=_("Autour du %(day)s") % {"day": french.date_text(asked.on, today)},
        description=", ".join(told),
        style="days" if long else "reason",
        marks=tuple(marks),
        guards=guards,
        lines=(Line(asked.on, _("ce jour")),),
        rest_days=_rest(organisation, start, end),
    )
    return time_axis(axis, width=336)


def coming_picture(organisation: Organisation, look: Look, *, today: date) -> str:
    """What the customer receives in the next sixty days if he does not pay."""
    end = today + timedelta(days=DAYS)
    plan = look.now.case.plan
    delay = plan.min_contact_days if plan else 0
    marks = [
        Mark(
            one.on,
            "auto" if one.action.automatic else "manual",
            f"{one.action.name or _('Niveau')}{french.NBSP}({one.action.level})",
        )
        for one in look.planned
        if one.on <= end
    ]
    contacts = [
        one.on for one in look.planned if one.action.channel != "task" and not one.action.reason
    ]
    last = max((entry.on for entry in look.now.case.history if entry.contact), default=None)
    if last is not None and last + timedelta(days=delay) >= today:
        contacts.append(last)
    told = [f"{mark.label} {french.date_text(mark.day, today)}" for mark in marks] or [
        _("rien n’est prévu")
    ]
    after = max((m.day for m in marks), default=today) + timedelta(days=max(delay + 1, _LABEL_DAYS))
    ended = _plan_ends(look)

    def drawn(width: float) -> str:
        return time_axis(
            TimeAxis(
                start=today,
                end=end,
                title=_("Les 60 prochains jours"),
                description=", ".join(told),
                marks=tuple(_few(marks, 4 if width < 500 else 8)),
                guards=tuple(Guard(day, delay) for day in sorted(set(contacts)) if delay),
                lines=(Line(today),),
                rest_days=_rest(organisation, today, end),
                dotted_from=after if ended and after < end else None,
                end_note=_("Fin du plan, une action vous sera proposée") if ended else "",
            ),
            width=width,
        )

    return responsive(drawn(328), drawn(668))


def _few(marks: list[Mark], most: int) -> list[Mark]:
    """Beyond a few, discs keep their place and lose their label."""
    return [mark if n < most else Mark(mark.day, mark.kind) for n, mark in enumerate(marks)]


def _plan_ends(look: Look) -> bool:
    """Whether the last level is among what is planned, or was passed already."""
    plan = look.now.case.plan
    if plan is None or not plan.steps or plan.steps[-1].repeat_every:
        return False
    if any(carrier.code == "END_OF_PLAN" for carrier in look.now.decision.carriers):
        return True
    return any(one.action.level == len(plan.steps) for one in look.planned)

"""Plans de relance: a list, and an editor that draws what is being typed (S3-20…25, S4-07…14)."""

import re
from datetime import date
from typing import Any, cast

from django.contrib import messages as notes
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.facts.gather import to_engine
from relance.dunning.models import Plan, PlanRule, Step, Template
from relance.dunning.services import Refused
from relance.dunning.services.managers import possible_managers
from relance.dunning.services.plans import (
    PlanRefused,
    delete_plan,
    pause_plan,
    rows_of,
    save_plan,
)
from relance.engine import model as engine
from relance.engine.plan_rules import validate_plan
from relance.ledger.models import Customer
from relance.outbox.provider_care import leaves_alone
from relance.web.queries import plan_sketch, rehearsals
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views import plans_files, plans_rules
from relance.web.views.plans_forms import (
    BEFORE,
    MAX_DAYS,
    MAX_LEVELS,
    BaseSteps,
    PlanForm,
    StepSet,
    initial_steps,
)

PREFIX = "niveau"


def plan_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every plan with its levels and how many customers follow it."""
    access = enter(request, slug)
    plans = (
        access.all(Plan)
        .annotate(followers=Count("assignments"))
        .prefetch_related("steps")
        .order_by("name")
    )
    without = access.all(Customer).filter(assignment__isnull=True).count()
    rules = access.all(PlanRule).count()
    context = {"access": access, "plans": plans, "without": without, "rules": rules}
    return render(request, "plans/list.html", context)


def plan_new(request: HttpRequest, slug: str) -> HttpResponse:
    """An empty plan, or a copy of another one (`?plan=`)."""
    access = enter(request, slug, DunningRole.ADMIN)
    plan = Plan(organisation=access.organisation, name=_("Nouveau plan"))
    source = request.GET.get("plan", "")
    steps: list[dict[str, Any]] = []
    if source.isdecimal():
        copied = access.get(Plan, pk=int(source))
        steps = initial_steps(copied)
        for field in ("scope", "progression", "grouping", "min_contact_days", "minimum_cents"):
            setattr(plan, field, getattr(copied, field))
        plan.name = _("%(name)s (copie)") % {"name": copied.name}
    return _edit(request, access, plan, steps)


def plan_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One plan: read by everyone, changed by administrators."""
    access = enter(request, slug)
    plan = access.get(Plan, pk=pk)
    if request.method == "POST":
        access.require(DunningRole.ADMIN)
    return _edit(request, access, plan, initial_steps(plan))


@require_POST
def plan_sketch_view(request: HttpRequest, slug: str) -> HttpResponse:
    """The picture, dates and faults of what is being typed; nothing is saved.

    While something is wrong the last picture stays, so that nothing jumps under the cursor.
    """
    access = enter(request, slug, DunningRole.ADMIN)
    key = request.POST.get("plan", "")
    plan = (
        access.get(Plan, pk=int(key[:18]))
        if key.isdecimal()
        else Plan(organisation=access.organisation)
    )
    form, steps = _forms(access, plan, request.POST, [])
    context = _context(request, access, plan, form, steps)
    answer = render(request, "plans/_live.html", context)
    if not context["valid"]:
        answer["HX-Reswap"] = "none"
    return answer


def _forms(
    access: Access, plan: Plan, data: QueryDict | None, initial: list[dict[str, Any]]
) -> tuple[PlanForm, BaseSteps]:
    form = PlanForm(data, instance=plan)
    steps = StepSet(
        data,
        initial=None if data is not None else initial,
        prefix=PREFIX,
        form_kwargs={
            "templates": list(access.all(Template).order_by("name")),
            "people": [(one.pk, str(one)) for one in possible_managers(access.organisation)],
            "alone": leaves_alone(access.organisation.pk),
            "empty_permitted": False,
        },
    )
    if not access.is_admin:
        for one in [form, *steps.forms]:
            for field in one.fields.values():
                field.disabled = True
    return form, cast("BaseSteps", steps)


def _edit(
    request: HttpRequest, access: Access, plan: Plan, initial: list[dict[str, Any]]
) -> HttpResponse:
    data: QueryDict | None = request.POST if request.method == "POST" else None
    deed = request.POST.get("do", "save")
    title = plan.name
    if data is not None and deed != "save":
        data = rearranged(data, deed)
    stored = _stored(plan) if deed.startswith("play:") else None
    form, steps = _forms(access, plan, data, initial)
    if data is not None and deed == "save" and form.is_valid() and steps.is_valid():
        try:
            saved = save_plan(
                form.save(commit=False),
                steps=[step.values() for step in steps.forms],
                actor=user_of(request),
                on=today_of(request, access),
                now=moment(request),
            )
        except PlanRefused as refused:
            steps.show_faults(form, list(refused.faults))
        else:
            notes.success(request, _("Plan enregistré."))
            return redirect("plan_detail", access.organisation.slug, saved.pk)
    context = _context(request, access, plan, form, steps)
    if deed.startswith("play:") and context["valid"] and context["plan_steps"]:
        on = today_of(request, access)
        found = _scenarios(stored, form.instance, context["plan_steps"], on)
        context["shown"] = rehearsals.show(
            access.organisation, plan, found, deed.removeprefix("play:"), on=on, every=True
        )
    _focus(form, steps, deed)
    return render(request, "plans/detail.html", context | {"title": title})


def _focus(form: PlanForm, steps: BaseSteps, deed: str) -> None:
    """The cursor goes where the button of the editor did something."""
    verb, _colon, rest = deed.partition(":")
    first = rest.partition(":")[0]
    level = {"add": len(steps.forms)}.get(verb, int(first) if first.isdecimal() else 0)
    level += {"up": -1, "down": 1}.get(verb, 0)
    if verb == "delay":
        form.fields["min_contact_days"].widget.attrs["autofocus"] = True
    elif verb != "save" and 1 <= level <= len(steps.forms):
        name = "days" if verb == "trigger" else "name"
        steps.forms[level - 1].fields[name].widget.attrs["autofocus"] = True


FIELDS = (
    "name",
    "days",
    "trigger",
    "channel",
    "template",
    "automatic",
    "to_confirm",
    "send_bare",
    "repeat_every",
    "functions",
    "owners",
)
SEVERAL = "owners"
"""The one field that sends several values; they travel through here joined by commas."""


def rearranged(typed: QueryDict, deed: str) -> QueryDict:
    """The typed data after a button of the editor: a level more, less or moved, a remedy taken.

    `deed`: `add`, `remove:2`, `up:2`, `down:2`, `trigger:3:12` (days from the due date, negative
    before it) or `delay:3`. What is typed elsewhere stays as it is; anything else changes nothing.
    """
    data = typed.copy()
    total = data.get(f"{PREFIX}-TOTAL_FORMS", "")
    count = min(int(total), MAX_LEVELS) if total.isdecimal() else 0
    levels = [
        {field: ",".join(data.getlist(f"{PREFIX}-{n}-{field}")) for field in FIELDS}
        for n in range(count)
    ]
    verb, _colon, rest = deed.partition(":")
    numbers = [int(part) for part in rest.split(":") if re.fullmatch(r"-?[0-9]{1,4}", part)]
    if verb == "add" and count < MAX_LEVELS:
        levels.append(_next_level(levels))
    elif verb == "delay" and numbers:
        data["min_contact_days"] = str(max(numbers[0], 0))
    elif numbers and 1 <= numbers[0] <= count:
        _change_level(levels, verb, numbers[0] - 1, numbers[1:])
    for n, level in enumerate(levels):
        for field, value in level.items():
            values = value.split(",") if field == SEVERAL and value else [value]
            data.setlist(f"{PREFIX}-{n}-{field}", [] if values == [""] else values)
    data[f"{PREFIX}-TOTAL_FORMS"] = str(len(levels))
    return data


def _next_level(levels: list[dict[str, str]]) -> dict[str, str]:
    """A level to begin with: a week after the last one that counts from the due date."""
    last = levels[-1] if levels else {"days": "0", "trigger": "due"}
    after = last["trigger"] == "due" and last["days"].isdecimal()
    days = min(int(last["days"][:4]) + 7, MAX_DAYS) if after else 7
    return dict.fromkeys(FIELDS, "") | {
        "name": _("Niveau %(n)d") % {"n": len(levels) + 1},
        "days": str(days),
        "trigger": "due",
        "channel": "email",
    }


def _change_level(levels: list[dict[str, str]], verb: str, here: int, numbers: list[int]) -> None:
    """Take a level out, move it by one place, or give it another trigger."""
    if verb == "remove":
        levels.pop(here)
    elif verb == "up" and here > 0:
        levels[here - 1], levels[here] = levels[here], levels[here - 1]
    elif verb == "down" and here < len(levels) - 1:
        levels[here + 1], levels[here] = levels[here], levels[here + 1]
    elif verb == "trigger" and numbers:
        days = numbers[0]
        if levels[here]["trigger"] in (BEFORE, "due"):
            levels[here]["trigger"] = BEFORE if days < 0 else "due"
        levels[here]["days"] = str(abs(days))


def _typed(plan: Plan, form: PlanForm, steps: BaseSteps) -> tuple[list[Step], bool]:
    """The levels as rows, and whether all that is typed could be saved; faults are shown."""
    if not form.is_bound:
        return (list(plan.steps.all()) if plan.pk else []), True
    if not (form.is_valid() and steps.is_valid()):
        return [], False
    rows = rows_of(form.instance, [step.values() for step in steps.forms])
    faults = validate_plan(to_engine(form.instance, rows))
    steps.show_faults(form, faults)
    return rows, not faults


def _context(
    request: HttpRequest, access: Access, plan: Plan, form: PlanForm, steps: BaseSteps
) -> dict[str, Any]:
    """The editor with its picture; while something typed is not valid, the picture waits."""
    on = today_of(request, access)
    due = plan_sketch.sample_due(on)
    rows, valid = _typed(plan, form, steps)
    drawn = plan_sketch.Sketch("", [], [], {})
    effect = plan_sketch.followers_of(plan)
    if valid:
        typed = to_engine(form.instance, rows)
        drawn = plan_sketch.sketch(access.organisation, typed, rows, due=due, today=on)
        if form.is_bound and plan.pk:
            effect = plan_sketch.change(access.organisation, plan, typed, on=on)
    departures = {one.level: one for one in drawn.departures}
    return {
        "access": access,
        "plan": plan,
        "form": form,
        "steps": steps,
        "rows": [
            {
                "form": one,
                "level": level,
                "departure": departures.get(level),
                "hint": drawn.hints.get(level, ""),
            }
            for level, one in enumerate(steps.forms, 1)
        ],
        "plan_steps": rows,
        "sketch": drawn,
        "effect": effect,
        "changed": form.is_bound,
        "valid": valid,
        "due": due,
        "today": on,
    }


@require_POST
def plan_rehearse(request: HttpRequest, slug: str) -> HttpResponse:
    """The plan being typed, played on the last twelve months, beside the present one (S3-25).

    `do` says which scenario is looked at; `only` asks for the figures of one line.
    """
    access = enter(request, slug)
    key = request.POST.get("plan", "")
    new = Plan(organisation=access.organisation)
    plan = access.get(Plan, pk=int(key[:18])) if key.isdecimal() else new
    typed = access.is_admin and f"{PREFIX}-TOTAL_FORMS" in request.POST
    stored = _stored(plan)
    form, steps = _forms(access, plan, request.POST if typed else None, [])
    rows, valid = _typed(plan, form, steps)
    on = today_of(request, access)
    context: dict[str, Any] = {"access": access, "plan": plan, "valid": valid, "rows": rows}
    only = request.POST.get("only", "")
    if not valid or not rows:
        return render(request, "plans/_rehearsal.html", context)
    found = _scenarios(stored, form.instance, rows, on)
    if only:
        one = next((one for one in found if one.key == only), found[0])
        result = rehearsals.played(access.organisation, plan, one.plan, on=on)
        return render(request, "plans/_rehearsed.html", {"result": result})
    wanted = request.POST.get("do", "").removeprefix("play:")
    context["shown"] = rehearsals.show(access.organisation, plan, found, wanted, on=on)
    return render(request, "plans/_rehearsal.html", context)


def _stored(plan: Plan) -> engine.Plan | None:
    """The plan as it is saved, read before anything typed touches it."""
    return to_engine(plan, list(plan.steps.all())) if plan.pk else None


def _scenarios(
    stored: engine.Plan | None, plan: Plan, rows: list[Step], on: date
) -> list[rehearsals.Scenario]:
    typed = to_engine(plan, rows)
    if stored is not None:
        typed = typed._replace(name=stored.name, paused=stored.paused)
    return rehearsals.scenarios(stored, typed, plan_sketch.sample_due(on))


@require_POST
def plan_pause(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Stop everything of a plan at once, or take it up again."""
    access = enter(request, slug, DunningRole.ADMIN)
    plan = access.get(Plan, pk=pk)
    paused = request.POST.get("paused") == "1"
    pause_plan(
        plan,
        paused=paused,
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    if paused:
        notes.success(request, _("Plan en pause : plus rien n’en part, chacun garde son niveau."))
    else:
        notes.success(request, _("Plan repris : ses relances repartent au prochain passage."))
    return redirect("plan_detail", slug, pk)


@require_POST
def plan_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Remove a plan that nobody follows."""
    access = enter(request, slug, DunningRole.ADMIN)
    plan = access.get(Plan, pk=pk)
    try:
        delete_plan(plan, actor=user_of(request), on=today_of(request, access), now=moment(request))
    except Refused as refused:
        notes.error(request, str(refused))
        return redirect("plan_detail", slug, pk)
    notes.success(request, _("Plan supprimé."))
    return redirect("plan_list", slug)


urlpatterns = [
    path("plans/", plan_list, name="plan_list"),
    path("plans/nouveau/", plan_new, name="plan_new"),
    path("plans/esquisse/", plan_sketch_view, name="plan_sketch"),
    path("plans/<int:pk>/", plan_detail, name="plan_detail"),
    path("plans/rejeu/", plan_rehearse, name="plan_rehearse"),
    path("plans/<int:pk>/pause/", plan_pause, name="plan_pause"),
    path("plans/<int:pk>/supprimer/", plan_delete, name="plan_delete"),
    *plans_rules.urlpatterns,
    *plans_files.urlpatterns,
]

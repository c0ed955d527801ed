"""Plans de relance: a list, and an editor that draws what is being typed (S3-20…25, S4-07…14)."""

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
from relance.dunning.gather import to_engine
from relance.dunning.models import Plan
from relance.dunning.services import Refused
from relance.dunning.services.plans import PlanRefused, delete_plan, rows_of, save_plan
from relance.engine.plan_rules import validate_plan
from relance.web.queries import plan_sketch
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.plans_forms import BaseSteps, PlanForm, StepSet, initial_steps

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
    return render(request, "plans/list.html", {"access": access, "plans": plans})


def plan_new(request: HttpRequest, slug: str) -> HttpResponse:
    """An empty plan, or a copy of another one (`?plan=`)."""
    access = enter(request, slug, DunningRole.ADMIN)
    plan = Plan(organisation=access.organisation)
    source = request.GET.get("plan", "")
    steps: list[dict[str, Any]] = []
    if source.isdigit():
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
    """The picture and the dates of what is being typed; nothing is saved."""
    access = enter(request, slug)
    plan = _plan_of(request, access)
    form, steps = _forms(request, access, plan, request.POST, [])
    context = _context(request, access, plan, form, steps, changed=True)
    return render(request, "plans/_sketch.html", context | {"out_of_band": True})


def _plan_of(request: HttpRequest, access: Access) -> Plan:
    key = request.POST.get("plan", "")
    return (
        access.get(Plan, pk=int(key)) if key.isdigit() else Plan(organisation=access.organisation)
    )


def _forms(
    request: HttpRequest,
    access: Access,
    plan: Plan,
    data: QueryDict | None,
    initial: list[dict[str, Any]],
) -> tuple[PlanForm, BaseSteps]:
    form = PlanForm(data, instance=plan)
    steps = StepSet(
        data,
        initial=None if data else initial,
        prefix=PREFIX,
        form_kwargs={"organisation": access.organisation},
    )
    if not access.is_admin:
        for one in [form, *steps.forms]:
            for field in one.fields.values():
                field.disabled = True
    return form, cast("BaseSteps", steps)


def _edit(
    request: HttpRequest, access: Access, plan: Plan, initial: list[dict[str, Any]]
) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    deed = request.POST.get("do", "save")
    if data is not None and deed != "save":
        data = rearranged(data, deed)
    form, steps = _forms(request, access, plan, data, initial)
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
    context = _context(request, access, plan, form, steps, changed=data is not None)
    return render(request, "plans/detail.html", context)


def rearranged(data: QueryDict, deed: str) -> QueryDict:
    """The typed data after a button of the editor: a level more, less or moved, a remedy taken.

    `deed`: `add`, `remove:2`, `up:2`, `down:2`, `trigger:3:12` (days from the due date) or
    `delay:3`. What is typed elsewhere stays as it is.
    """
    data = data.copy()
    verb, _colon, rest = deed.partition(":")
    total = int(data.get(f"{PREFIX}-TOTAL_FORMS") or 0)
    fields = ("name", "days", "trigger", "channel", "template", "automatic", "repeat_every")
    levels = [
        {field: data.get(f"{PREFIX}-{n}-{field}", "") for field in fields} for n in range(total)
    ]
    numbers = [int(part) for part in rest.split(":") if part.lstrip("-").isdigit()]
    if verb == "add":
        last = levels[-1] if levels else {"days": "0", "trigger": "due"}
        after = last["trigger"] == "due"
        days = int(last["days"]) + 7 if after and last["days"].isdigit() else 7
        fresh = dict.fromkeys(fields, "")
        levels.append(fresh | {"days": str(days), "trigger": "due", "channel": "email"})
    elif verb == "delay" and numbers:
        data["min_contact_days"] = str(max(numbers[0], 0))
    elif numbers and 1 <= numbers[0] <= total:
        here = numbers[0] - 1
        if verb == "remove":
            levels.pop(here)
        elif verb == "up" and here > 0:
            levels[here - 1], levels[here] = levels[here], levels[here - 1]
        elif verb == "down" and here < total - 1:
            levels[here + 1], levels[here] = levels[here], levels[here + 1]
        elif verb == "trigger" and len(numbers) > 1:
            levels[here]["days"] = str(max(numbers[1], 0))
    for n, level in enumerate(levels):
        for field, value in level.items():
            data[f"{PREFIX}-{n}-{field}"] = value
    data[f"{PREFIX}-TOTAL_FORMS"] = str(len(levels))
    return data


def _context(
    request: HttpRequest,
    access: Access,
    plan: Plan,
    form: PlanForm,
    steps: BaseSteps,
    *,
    changed: bool,
) -> dict[str, Any]:
    """The editor with its picture; while something typed is not valid, the picture waits."""
    on = today_of(request, access)
    drawn = plan_sketch.Sketch("", [], [], [])
    effect = plan_sketch.Change(0, 0, 0)
    valid = True
    if form.is_bound:
        valid = form.is_valid() and steps.is_valid()
        values = [step.values() for step in steps.forms] if valid else []
        unsaved = form.instance
        typed = to_engine(unsaved, rows_of(unsaved, values)) if valid else None
        if typed is not None:
            faults = validate_plan(typed)
            steps.show_faults(form, faults)
            valid = not faults
    else:
        typed = to_engine(plan, list(plan.steps.all()) if plan.pk else [])
    if typed is not None and valid:
        drawn = plan_sketch.sketch(access.organisation, typed, due=on, today=on)
        if plan.pk:
            effect = plan_sketch.change(access.organisation, plan, typed, on=on)
    departures = {d.level: d for d in drawn.departures}
    late = {warning.level for warning in drawn.warnings}
    return {
        "access": access,
        "plan": plan,
        "form": form,
        "steps": steps,
        "rows": [
            {"form": one, "level": n, "departure": departures.get(n), "late": n in late}
            for n, one in enumerate(steps.forms, 1)
        ],
        "sketch": drawn,
        "effect": effect,
        "changed": changed,
        "valid": valid,
        "due": on,
        "today": on,
    }


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
    path("plans/<int:pk>/supprimer/", plan_delete, name="plan_delete"),
]

"""One change to many clients or invoices: what it would do, doing it, and taking it back."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.lots import batch_kinds, batches, changes
from relance.dunning.lots.batches import Pace
from relance.dunning.lots.changes import Change, Foreseen
from relance.dunning.models import Batch, BatchLine, Plan
from relance.dunning.services import Refused
from relance.dunning.services.managers import possible_managers
from relance.web import french
from relance.web.queries import bulk, customers, invoices
from relance.web.requests import enter, moment, today_of, user_of

MOST_INVOICES = 500
AT_ONCE_SECONDS = 2
"""How long the request itself works on a change; the worker does the rest."""

FIXED: dict[str, tuple[str, Any]] = {
    "release": (changes.HOLD, None),
    "exclude": (changes.EXCLUDED, True),
    "include": (changes.EXCLUDED, False),
    "plan_on": (changes.PLAN_ON, True),
    "plan_off": (changes.PLAN_ON, False),
    "invoice_release": (changes.INVOICE_HOLD, None),
}
"""Deeds that need no value: the field and what it becomes."""

OF_CUSTOMERS = ("plan", "manager", "hold", "release", "exclude", "include")
OF_INVOICES = ("plan_on", "plan_off", "invoice_hold", "invoice_release")
NOTHING = "aucun"


class ValueForm(forms.Form):
    """The new value of a change: a plan, a person or a day."""

    valeur = forms.CharField(max_length=20)

    def __init__(self, access: Access, deed: str, today: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deed = deed
        if deed == "plan":
            plans = [(str(one.pk), one.name) for one in access.all(Plan).order_by("name")]
            last = (NOTHING, lazy("Aucun plan de relance"))
            self.fields["valeur"] = _choice(lazy("Plan de relance"), [*plans, last])
        elif deed == "manager":
            people = [(str(one.pk), str(one)) for one in possible_managers(access.organisation)]
            last = (NOTHING, lazy("Personne en particulier"))
            self.fields["valeur"] = _choice(lazy("Chargé de compte"), [*people, last])
        else:
            self.fields["valeur"] = forms.DateField(
                label=lazy("En attente jusqu’au (inclus)"),
                widget=forms.DateInput(
                    attrs={"type": "date", "min": today.isoformat()}, format="%Y-%m-%d"
                ),
            )

    def change(self) -> Change:
        """What was chosen, as plain JSON."""
        value = self.cleaned_data["valeur"]
        if self.deed in ("plan", "manager"):
            return Change(self.deed, None if value == NOTHING else int(value))
        field = changes.HOLD if self.deed == "hold" else changes.INVOICE_HOLD
        return Change(field, value.isoformat())


def _choice(label: Any, choices: list[tuple[str, Any]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", lazy("Choisissez")), *choices])


@require_POST
def bulk_customers(request: HttpRequest, slug: str) -> HttpResponse:
    """Change the ticked clients, or all of the list: shown first, done when confirmed."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    today = today_of(request, access)
    targets = customers.chosen_customers(access, request.POST, today=today)
    return _change(request, access, OF_CUSTOMERS, targets, "customer_list")


@require_POST
def bulk_invoices(request: HttpRequest, slug: str) -> HttpResponse:
    """Change the invoices ticked on the dashboard, or all of its list."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    targets = invoices_of(request, access)
    return _change(request, access, OF_INVOICES, targets, "dashboard")


def invoices_of(request: HttpRequest, access: Access) -> list[int]:
    """Ids of the invoices that a form of the dashboard names: those ticked, or all of its list."""
    values = request.POST
    if values.get("toutes") == "1":
        query = QueryDict(values.get("retour", "").removeprefix("?")[:500])
        filters = invoices.Filters.read({key: query.get(key, "") for key in query})
        today = today_of(request, access)
        found = invoices.selection(access, filters, on=filters.on or today, today=today)
        return list(found.values_list("pk", flat=True))
    ids = [int(one) for one in values.getlist("cochee") if one.isdecimal() and len(one) < 18]
    return bulk.known_invoices(access, ids[:MOST_INVOICES])


def _change(
    request: HttpRequest, access: Access, deeds: tuple[str, ...], targets: list[int], home: str
) -> HttpResponse:
    slug, today = access.organisation.slug, today_of(request, access)
    back = reverse(home, args=[slug]) + _query(request.POST)
    deed = request.POST.get("quoi", "")
    if not targets:
        notes.error(request, _("Cochez au moins une ligne."))
        return redirect(back)
    if deed not in deeds:
        notes.error(request, _("Choisissez ce qui doit changer."))
        return redirect(back)
    form = None if deed in FIXED else ValueForm(access, deed, today, request.POST or None)
    if form is not None and "valeur" not in request.POST:
        form = ValueForm(access, deed, today)
    foreseen, refusal = _foresee(access, deed, form, targets, today)
    if request.POST.get("faire") == "appliquer" and foreseen and foreseen.targets:
        return _apply(request, access, foreseen)
    context = {
        "access": access,
        "deed": deed,
        "title": bulk.DEEDS[deed],
        "form": form,
        "targets": len(targets),
        "foreseen": bulk.told(access, foreseen) if foreseen else None,
        "refusal": refusal,
        "back": back,
        "retour": _query(request.POST),
        "ticked": [] if _whole(request.POST) else targets,
        "whole": _whole(request.POST),
        "of_invoices": home == "dashboard",
        "action": request.path,
    }
    htmx: Any = getattr(request, "htmx", None)
    name = "bulk/_foreseen.html" if htmx and htmx.target == "foreseen" else "bulk/change.html"
    return render(request, name, context)


def _query(values: Mapping[str, str]) -> str:
    back = values.get("retour", "")[:500]
    return back if back.startswith("?") else ""


def _whole(values: Mapping[str, str]) -> bool:
    return values.get("tous") == "1" or values.get("toutes") == "1"


def _foresee(
    access: Access, deed: str, form: ValueForm | None, targets: list[int], today: date
) -> tuple[Foreseen | None, str]:
    if form is None:
        change = Change(*FIXED[deed])
    elif form.is_bound and form.is_valid():
        change = form.change()
    else:
        return None, ""
    try:
        return changes.foresee(access.organisation, change, targets, on=today), ""
    except Refused as refused:
        return None, str(refused)


def _apply(request: HttpRequest, access: Access, foreseen: Foreseen) -> HttpResponse:
    actor, now = user_of(request), moment(request)
    title = bulk.title_of(access, foreseen.change)
    batch = changes.draft(access.organisation, foreseen, title=title, actor=actor, now=now)
    batches.begin(batch, changes.lines_of(batch, foreseen), actor=actor, now=now)
    batch_kinds.advance(batch, now=now, pace=Pace(seconds=AT_ONCE_SECONDS))
    return redirect("bulk_detail", access.organisation.slug, batch.pk)


@require_GET
def bulk_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What a change did, to whom, and the button that takes it back."""
    access = enter(request, slug)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CHANGE)
    htmx: Any = getattr(request, "htmx", None)
    context = {"access": access, **bulk.detail(access, batch, page=request.GET.get("page", "1"))}
    progress = htmx and htmx.target == "bulk-progress"
    return render(request, "bulk/_progress.html" if progress else "bulk/detail.html", context)


@require_POST
def bulk_undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Put back what the change replaced, except what was changed again since."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CHANGE)
    actor, now = user_of(request), moment(request)
    if "undoes" in batch.options:
        raise Http404
    try:
        back = changes.undo(batch, title=bulk.undo_title(batch), actor=actor, now=now)
    except Refused as refused:
        notes.error(request, str(refused))
        return redirect("bulk_detail", slug, pk)
    batch_kinds.advance(back, now=now, pace=Pace(seconds=AT_ONCE_SECONDS))
    left = BatchLine.objects.filter(batch=back, reason="CHANGED_SINCE").count()
    if left:
        words = french.counted(left, _("client"), _("clients"))
        notes.warning(
            request, _("%(count)s modifiés depuis : laissés tels quels.") % {"count": words}
        )
    return redirect("bulk_detail", slug, back.pk)


urlpatterns = [
    path("modifications/clients/", bulk_customers, name="bulk_customers"),
    path("modifications/factures/", bulk_invoices, name="bulk_invoices"),
    path("modifications/<int:pk>/", bulk_detail, name="bulk_detail"),
    path("modifications/<int:pk>/defaire/", bulk_undo, name="bulk_undo"),
]

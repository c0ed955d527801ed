"""Règles d'affectation: which plan a customer gets by what he is, tried before it is applied."""

from typing import Any

from django import forms
from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.models import Plan, PlanRule
from relance.dunning.plans import rules
from relance.dunning.plans.rules import Condition
from relance.dunning.services import Refused
from relance.ledger.models import PaymentMode, Regime
from relance.web import french
from relance.web.queries import plan_rules
from relance.web.requests import enter, moment, today_of, user_of

ANY = ("", lazy("Indifférent"))
SELECT = {"class": "select"}
LISTS = {
    "code": "starts",
    "name": "contains",
    "postcode": "starts",
    "city": "is",
    "country": "is",
}
"""Fields in which several values are typed, separated by commas: one of them is enough."""
CHOICES = ("regime", "language", "manager", "mode", "contact")
SUMS = {"owed_from": "at_least", "owed_below": "below"}


def _texts(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=200)


def _choice(label: Any, choices: Any = ()) -> forms.ChoiceField:
    widget = forms.Select(SELECT)
    return forms.ChoiceField(label=label, choices=[ANY, *choices], required=False, widget=widget)


def _sum(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, min_value=0, max_digits=12, decimal_places=2, required=False
    )


class RuleForm(forms.Form):
    """A plan and what must hold; a field left empty asks nothing."""

    plan = forms.ModelChoiceField(
        Plan.objects.none(),
        label=lazy("Alors, donner le plan"),
        empty_label=lazy("Choisissez un plan"),
        widget=forms.Select(SELECT),
    )
    code = _texts(lazy("Code client commençant par"))
    name = _texts(lazy("Nom contenant"))
    postcode = _texts(lazy("Code postal ou département"))
    city = _texts(lazy("Ville"))
    country = _texts(lazy("Pays (deux lettres)"))
    regime = _choice(lazy("Régime"), Regime.choices)
    language = _choice(lazy("Langue"), [("fr", lazy("français")), ("en", lazy("anglais"))])
    manager = _choice(lazy("Responsable du client"))
    mode = _choice(lazy("Facture ouverte à régler par"), PaymentMode.choices)
    contact = _choice(
        lazy("Adresse e-mail"), [("present", lazy("connue")), ("absent", lazy("absente"))]
    )
    owed_from = _sum(lazy("Solde dû d’au moins (€)"))
    owed_below = _sum(lazy("Solde dû de moins de (€)"))

    def __init__(self, access: Access, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan: Any = self.fields["plan"]
        plan.queryset = access.all(Plan).order_by("name")
        manager: Any = self.fields["manager"]
        manager.choices = [ANY, *plan_rules.people(access.organisation).items()]
        for name, field in self.fields.items():
            if name not in ("plan", *CHOICES):
                field.widget.attrs["class"] = "input"
            field.disabled = not access.is_admin

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or self.cleaned_data)
        for name in LISTS:
            typed = str(values.get(name) or "").replace(";", ",").split(",")
            values[name] = list(dict.fromkeys(filter(None, (one.strip() for one in typed))))
        if any(len(code) != 2 for code in values["country"]):
            self.add_error("country", _("Écrivez deux lettres par pays, par exemple FR."))
        return values

    def conditions(self) -> list[Condition]:
        """What is typed, as the rules take it; the form is valid."""
        data = self.cleaned_data
        found = [Condition(field=f, op=op, value=data[f]) for f, op in LISTS.items() if data[f]]
        for name in CHOICES:
            if data[name]:
                value = int(data[name]) if name == "manager" else data[name]
                found.append(Condition(field=name, op="is", value=value))
        for name, op in SUMS.items():
            if data[name] is not None:
                found.append(Condition(field="balance", op=op, value=int(data[name] * 100)))
        return found


def initial_of(rule: PlanRule) -> dict[str, Any]:
    """A stored rule as the form shows it."""
    found: dict[str, Any] = {"plan": rule.plan_id}
    sums = {op: name for name, op in SUMS.items()}
    for condition in rule.conditions:
        field, value = condition["field"], condition["value"]
        if field == "balance":
            found[sums[condition["op"]]] = f"{value / 100:.2f}"
        else:
            found[field] = ", ".join(value) if isinstance(value, list) else value
    return found


def rule_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The rules in order, what each would give, and the form of a new one."""
    access = enter(request, slug)
    return _edit(request, access, PlanRule(organisation=access.organisation), {})


def rule_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One rule in the form, among the others."""
    access = enter(request, slug)
    rule = access.get(PlanRule, pk=pk)
    return _edit(request, access, rule, initial_of(rule))


def _edit(
    request: HttpRequest, access: Access, rule: PlanRule, initial: dict[str, Any]
) -> HttpResponse:
    form = RuleForm(access, initial=initial)
    if request.method == "POST":
        access.require(DunningRole.ADMIN)
        form = RuleForm(access, request.POST)
        if form.is_valid():
            try:
                rules.save_rule(
                    rule,
                    plan=form.cleaned_data["plan"],
                    conditions=form.conditions(),
                    actor=user_of(request),
                    on=today_of(request, access),
                    now=moment(request),
                )
            except Refused as refused:
                form.add_error(None, str(refused))
            else:
                notes.success(request, _("Règle enregistrée. Elle vaut déjà pour les imports."))
                return redirect("plan_rules", access.organisation.slug)
    rows = plan_rules.rows(access.organisation)
    context = {
        "access": access,
        "rows": rows,
        "form": form,
        "rule": rule,
        "plans": access.all(Plan).exists(),
        "changes": sum(row.fit.changes for row in rows),
        "kept": rules.kept_by_hand(access.organisation).count(),
        "default": access.all(Plan).filter(is_default=True).first(),
    }
    return render(request, "plans/rules.html", context)


@require_POST
def rule_trial(request: HttpRequest, slug: str) -> HttpResponse:
    """“Cette règle donnerait ce plan à n clients”, while it is typed; nothing is saved."""
    access = enter(request, slug, DunningRole.ADMIN)
    key = request.POST.get("rule", "")
    new = PlanRule(organisation=access.organisation)
    rule = access.get(PlanRule, pk=int(key[:18])) if key.isdecimal() else new
    form = RuleForm(access, request.POST)
    context: dict[str, Any] = {"access": access}
    if form.is_valid():
        rule.plan, rule.conditions = form.cleaned_data["plan"], form.conditions()
        context["trial"] = plan_rules.trial(access.organisation, rule)
    return render(request, "plans/_trial.html", context)


@require_GET
def rule_customers(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Those to whom a rule gives its plan, fifty a page."""
    access = enter(request, slug)
    rule = access.get(PlanRule, pk=pk)
    known = rules.rules_of(access.organisation)
    place = next(n for n, one in enumerate(known) if one.pk == rule.pk)
    found = rules.given_by_rule(access.organisation, known, place)
    context = {
        "access": access,
        "rule": known[place],
        "words": plan_rules.in_words(rule.conditions, plan_rules.people(access.organisation)),
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
    }
    return render(request, "plans/rule_customers.html", context)


@require_GET
def rule_kept(request: HttpRequest, slug: str) -> HttpResponse:
    """Those whom no rule touches, for a person chose their plan, or none."""
    access = enter(request, slug)
    page = Paginator(rules.kept_by_hand(access.organisation), 50).get_page(request.GET.get("page"))
    return render(request, "plans/rule_customers.html", {"access": access, "page": page})


@require_POST
def rule_move(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One place up or down."""
    access = enter(request, slug, DunningRole.ADMIN)
    rules.move_rule(
        access.get(PlanRule, pk=pk),
        up=request.POST.get("way") == "up",
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    return redirect("plan_rules", slug)


@require_POST
def rule_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Remove a rule; those it gave a plan keep it."""
    access = enter(request, slug, DunningRole.ADMIN)
    rules.delete_rule(
        access.get(PlanRule, pk=pk),
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    notes.success(request, _("Règle supprimée. Ses clients gardent leur plan."))
    return redirect("plan_rules", slug)


@require_POST
def rule_apply(request: HttpRequest, slug: str) -> HttpResponse:
    """Give every customer the plan of his rule, but for choices made by hand."""
    access = enter(request, slug, DunningRole.ADMIN)
    done = rules.apply_rules(
        access.organisation,
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    changed = french.counted(done.changed, _("client a changé"), _("clients ont changé"))
    notes.success(request, _("Règles appliquées : %(changed)s de plan.") % {"changed": changed})
    return redirect("plan_rules", slug)


urlpatterns = [
    path("plans/regles/", rule_list, name="plan_rules"),
    path("plans/regles/essai/", rule_trial, name="plan_rule_trial"),
    path("plans/regles/appliquer/", rule_apply, name="plan_rules_apply"),
    path("plans/regles/a-la-main/", rule_kept, name="plan_rule_kept"),
    path("plans/regles/<int:pk>/", rule_detail, name="plan_rule"),
    path("plans/regles/<int:pk>/clients/", rule_customers, name="plan_rule_customers"),
    path("plans/regles/<int:pk>/place/", rule_move, name="plan_rule_move"),
    path("plans/regles/<int:pk>/supprimer/", rule_delete, name="plan_rule_delete"),
]

"""Accounts and rules of Banque: seen by everyone who sees it, changed from R3 on (D-22)."""

from typing import Any

from django import forms
from django.contrib import messages as notes
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import BankRole
from relance.bank.models import BankAccount, BankRule, Transaction
from relance.bank.services import links, setup
from relance.bank.services.errors import BankRefused
from relance.bank.services.statements import gaps_of
from relance.web.requests import enter_bank, moment, today_of
from relance.web.views.bank_access import surroundings
from relance.web.views.bank_documents import AmountField

MOST_GAPS = 6


class RuleForm(forms.Form):
    """All that is filled in must hold at once."""

    words = forms.CharField(
        label=gettext_lazy("Le libellé contient"), max_length=120, required=False
    )
    account = forms.ModelChoiceField(
        label=gettext_lazy("Sur le compte"),
        queryset=BankAccount.objects.none(),
        required=False,
        empty_label=gettext_lazy("tous les comptes"),
    )
    least_cents = AmountField(
        label=gettext_lazy("Montant à partir de"), max_length=20, required=False
    )
    most_cents = AmountField(label=gettext_lazy("Montant jusqu’à"), max_length=20, required=False)
    effect = forms.ChoiceField(
        label=gettext_lazy("Alors"), choices=BankRule.Effect.choices, initial="exempt"
    )

    def __init__(self, access: Access, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"].queryset = access.all(BankAccount)  # type: ignore[attr-defined]


@require_GET
def bank_accounts(request: HttpRequest, slug: str) -> HttpResponse:
    """The accounts with their last day, their balance, and the holes between statements."""
    access = enter_bank(request, slug)
    rows = (
        access.all(BankAccount)
        .annotate(count=Count("transactions"), until=Max("transactions__booked"))
        .order_by("closed", "name", "number")
    )
    accounts = []
    for one in rows:
        latest = one.statements.filter(closing_cents__isnull=False).order_by("-last_on", "-id")
        gaps = gaps_of(one)
        accounts.append((one, latest.first(), gaps[-MOST_GAPS:], len(gaps)))
    context = surroundings(access, "bank_accounts")
    context |= {"accounts": accounts, "today": today_of(request, access)}
    return render(request, "bank/accounts.html", context)


@require_POST
def bank_account(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Name an account, close it or open it again."""
    access = enter_bank(request, slug, BankRole.R3)
    setup.name_account(
        access.get(BankAccount, pk=pk),
        name=request.POST.get("nom", ""),
        closed=request.POST.get("clos") == "1",
        actor=access.user,
        on=today_of(request, access),
        now=moment(request),
    )
    notes.success(request, _("Enregistré."))
    return redirect("bank_accounts", slug)


@require_http_methods(["GET", "POST"])
def bank_rules(request: HttpRequest, slug: str) -> HttpResponse:
    """Rules that waive receipts, in their order; POST adds one."""
    post = request.method == "POST"
    access = enter_bank(request, slug, BankRole.R3 if post else BankRole.R1)
    form = RuleForm(access, request.POST if post else None)
    if post and form.is_valid():
        try:
            setup.save_rule(
                access.organisation,
                setup.RuleValues(**form.cleaned_data),
                actor=access.user,
                on=today_of(request, access),
                now=moment(request),
            )
        except BankRefused as refused:
            form.add_error(None, str(refused))
        else:
            notes.success(request, _("Règle ajoutée. Elle vaut pour les prochains relevés."))
            return redirect("bank_rules", slug)
    rules = list(access.all(BankRule).select_related("account").order_by("position"))
    fit = setup.fitting(rules, access.organisation)
    context = surroundings(access, "bank_rules") | {
        "rules": [(rule, fit[rule.pk]) for rule in rules],
        "would": sum(fit.values()),
        "form": form,
    }
    return render(request, "bank/rules.html", context)


@require_POST
def bank_rule(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Move a rule up or down, or delete it."""
    access = enter_bank(request, slug, BankRole.R3)
    rule = access.get(BankRule, pk=pk)
    way = request.POST.get("sens", "")
    if way == "up" or way == "down":
        setup.move_rule(rule, way="up" if way == "up" else "down")
    elif way == "supprimer":
        on, now = today_of(request, access), moment(request)
        back = setup.delete_rule(rule, actor=access.user, on=on, now=now)
        words = ngettext(
            "Règle supprimée\u00a0: %(n)d opération est de nouveau à valider.",
            "Règle supprimée\u00a0: %(n)d opérations sont de nouveau à valider.",
            back,
        )
        notes.success(request, words % {"n": back} if back else _("Règle supprimée."))
    return redirect("bank_rules", slug)


@require_POST
def bank_rules_apply(request: HttpRequest, slug: str) -> HttpResponse:
    """Apply the rules to what is there already and still À valider."""
    access = enter_bank(request, slug, BankRole.R3)
    rows = access.all(Transaction).filter(waiver="").exclude(missing="")
    waived = links.apply_rules(access.organisation, rows.iterator(chunk_size=setup.CHUNK))
    words = ngettext(
        "%(n)d opération n’est plus à valider.",
        "%(n)d opérations ne sont plus à valider.",
        waived,
    )
    notes.success(request, words % {"n": waived})
    return redirect("bank_rules", slug)


urlpatterns = [
    path("banque/comptes/", bank_accounts, name="bank_accounts"),
    path("banque/comptes/<int:pk>/", bank_account, name="bank_account"),
    path("banque/regles/", bank_rules, name="bank_rules"),
    path("banque/regles/appliquer/", bank_rules_apply, name="bank_rules_apply"),
    path("banque/regles/<int:pk>/", bank_rule, name="bank_rule"),
]

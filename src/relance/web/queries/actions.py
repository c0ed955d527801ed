"""The list of actions: mine to do, or all of them filtered, sorted and paged by the database."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from relance.accounts.access import Access
from relance.accounts.models import User
from relance.dunning.models import Action, Channel
from relance.formats.text import fold
from relance.web.queries.today import waiting_actions

DUE = {
    "": _("Toutes les échéances"),
    "aujourdhui": _("Aujourd’hui"),
    "retard": _("Avant aujourd’hui"),
}
STATUS = {
    "": _("Tous les statuts"),
    "open": _("À faire"),
    "done": _("Faites"),
    "skipped": _("Ignorées"),
    "withdrawn": _("Retirées"),
}


class Filters(forms.Form):
    """What one may ask of the list; anything else in the address is left aside."""

    vue = forms.CharField(required=False, widget=forms.HiddenInput)
    q = forms.CharField(required=False, max_length=80)
    statut = forms.ChoiceField(label=_("Statut"), choices=list(STATUS.items()), required=False)
    echeance = forms.ChoiceField(label=_("Échéance"), choices=list(DUE.items()), required=False)
    le = forms.DateField(
        label=_("Échéance le"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "input input--date"}),
    )
    type = forms.ChoiceField(
        label=_("Type"), choices=[("", _("Tous les types")), *Channel.choices], required=False
    )
    responsable = forms.ChoiceField(label=_("Responsable"), choices=[], required=False)

    def __init__(self, data: QueryDict, people: list[User]) -> None:
        super().__init__(data)
        field = self.fields["responsable"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", _("Tous les responsables"))] + [
                (str(one.pk), str(one)) for one in people
            ]
        for name in ("statut", "echeance", "type", "responsable"):
            self.fields[name].widget.attrs["class"] = "select select--auto"


@dataclass(frozen=True)
class Chosen:
    """The rows asked for, and the form that says so."""

    form: Filters
    everything: bool
    filtered: bool
    rows: QuerySet[Action]


def read(query: QueryDict, access: Access, on: date) -> Chosen:
    """The actions that the address asks for; a wrong filter is no filter."""
    people = list(
        User.objects.filter(actions__organisation=access.organisation)
        .distinct()
        .order_by("full_name", "email")
    )
    form = Filters(query, people)
    form.is_valid()
    wanted: dict[str, Any] = form.cleaned_data
    everything = wanted.get("vue") == "toutes"
    if everything:
        rows = access.all(Action)
        if wanted.get("statut"):
            rows = rows.filter(status=wanted["statut"])
        if wanted.get("responsable"):
            rows = rows.filter(owners=wanted["responsable"])
    else:
        rows = waiting_actions(access).filter(owners=access.user)
    if wanted.get("echeance") == "aujourdhui":
        rows = rows.filter(due_on=on)
    elif wanted.get("echeance") == "retard":
        rows = rows.filter(due_on__lt=on)
    if wanted.get("le"):
        rows = rows.filter(due_on=wanted["le"])
    if wanted.get("type"):
        rows = rows.filter(channel=wanted["type"])
    for word in fold(wanted.get("q") or "").split():
        rows = rows.filter(customer__search__contains=word)
    filtered = any(
        wanted.get(name) for name in ("q", "statut", "echeance", "le", "type", "responsable")
    )
    order = (
        ["-due_on", "-id"] if everything and wanted.get("statut") != "open" else ["due_on", "id"]
    )
    rows = rows.select_related("customer", "closed_by").prefetch_related("owners").order_by(*order)
    return Chosen(form, everything, filtered, rows)

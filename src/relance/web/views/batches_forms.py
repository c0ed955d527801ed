"""The filters of Relances clients as a form."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from relance.accounts.access import Access
from relance.dunning.lots import selection
from relance.dunning.lots.selection import Criteria
from relance.dunning.models import Channel
from relance.dunning.services.managers import possible_managers
from relance.ledger.models import PaymentMode
from relance.web.queries import batches as reading

METHODS = [
    (Channel.LETTER.value, _("Courrier")),
    (Channel.EMAIL.value, _("Mail")),
]
"""SMS stands beside them, and says that no operator is connected."""


class FilterForm(forms.Form):
    """Filters, method and grouping: all set before Rechercher (S1-07, S1-14)."""

    niveau = forms.ChoiceField(label=_("Niveau de relance"), required=False)
    mode = forms.ChoiceField(label=_("Mode de paiement"), required=False)
    charge = forms.ChoiceField(label=_("Chargé de compte"), required=False)
    plan = forms.ChoiceField(label=_("Plan de relance"), required=False)
    montant_min = forms.DecimalField(
        label=_("Montant d’au moins"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=2,
        localize=True,
    )
    montant_max = forms.DecimalField(
        label=_("Montant d’au plus"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=2,
        localize=True,
    )
    retard_min = forms.IntegerField(
        label=_("Retard d’au moins"), required=False, min_value=0, max_value=9999
    )
    retard_max = forms.IntegerField(
        label=_("Retard d’au plus"), required=False, min_value=0, max_value=9999
    )
    texte = forms.CharField(label=_("Client ou n° de facture"), required=False, max_length=100)
    methode = forms.ChoiceField(
        label=_("Méthode d’envoi"),
        choices=METHODS,
        initial=Channel.EMAIL.value,
        widget=forms.RadioSelect,
    )
    grouper = forms.BooleanField(label=_("Grouper les relances par client"), required=False)

    def __init__(self, access: Access, data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        every = ("", _("Tous"))
        self._choices("niveau", [every, *reading.levels(access)])
        self._choices("mode", [every, *((m, reading.mode_word(m)) for m in PaymentMode.values)])
        managers = possible_managers(access.organisation)
        self._choices(
            "charge",
            [
                every,
                *((str(one.pk), str(one)) for one in managers),
                (selection.NOBODY, _("Personne")),
            ],
        )
        self._choices("plan", [every, *((str(p.pk), p.name) for p in reading.plans(access))])
        for name, one in self.fields.items():
            kind = "select" if isinstance(one, forms.ChoiceField) else "input input--small"
            if name not in ("methode", "grouper"):
                one.widget.attrs["class"] = kind
            if isinstance(one, forms.DecimalField | forms.IntegerField):
                one.widget.attrs["class"] = "input input--num"
                one.widget.attrs["inputmode"] = "decimal"

    def _choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def criteria(self) -> Criteria:
        """What the form asks, once it is valid."""
        asked = self.cleaned_data
        level, _colon, name = asked["niveau"].partition(":")
        return Criteria(
            level=int(level) if level else None,
            level_name=name,
            mode=asked["mode"],
            manager=asked["charge"],
            plan=int(asked["plan"]) if asked["plan"] else None,
            least_cents=_cents(asked["montant_min"]),
            most_cents=_cents(asked["montant_max"]),
            least_days=asked["retard_min"],
            most_days=asked["retard_max"],
            text=" ".join(asked["texte"].replace("\0", "").split()),
        )

    @property
    def more_filters(self) -> bool:
        """Whether one of the folded filters is in use."""
        names = ("charge", "plan", "montant_min", "montant_max", "retard_min", "retard_max")
        return any(self[name].value() not in (None, "") for name in (*names, "texte"))


def _cents(amount: Any) -> int | None:
    return None if amount is None else int(amount * 100)


def initial_of(criteria: Criteria, *, method: str, grouped: bool) -> dict[str, Any]:
    """The values that show a search again."""
    return {
        "niveau": f"{criteria.level}:{criteria.level_name}" if criteria.level else "",
        "mode": criteria.mode,
        "charge": criteria.manager,
        "plan": str(criteria.plan or ""),
        "montant_min": _amount(criteria.least_cents),
        "montant_max": _amount(criteria.most_cents),
        "retard_min": criteria.least_days,
        "retard_max": criteria.most_days,
        "texte": criteria.text,
        "methode": method,
        "grouper": grouped,
    }


def _amount(cents: int | None) -> str:
    return "" if cents is None else f"{cents // 100},{cents % 100:02d}"

"""The plan as typed: its own fields, and one small form per level."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.models import Organisation
from relance.dunning.gather import LEAVES_ALONE
from relance.dunning.models import Channel, Plan, Template
from relance.dunning.services.plans import StepValues
from relance.engine.model import ADDRESSED_CHANNELS
from relance.engine.plan_rules import PlanFault, fault_sentence

BEFORE = "before"
TRIGGERS = [
    (BEFORE, lazy("j avant l’échéance")),
    ("due", lazy("j après l’échéance")),
    ("issue", lazy("j après la facture")),
    ("due_month_end", lazy("j après, fin de mois")),
    ("previous", lazy("j après la relance précédente")),
]
FIELD_OF_FAULT = {"from": "trigger", "days": "days", "automatic": "automatic"}


class PlanForm(forms.ModelForm[Plan]):
    """What concerns the plan as a whole; `minimum` is typed in euros."""

    minimum = forms.DecimalField(
        label=lazy("Montant minimum"),
        min_value=0,
        max_digits=12,
        decimal_places=2,
        required=False,
        help_text=lazy("En dessous de ce total, le client n’est pas relancé."),
    )

    class Meta:
        model = Plan
        fields = [
            "name",
            "min_contact_days",
            "scope",
            "progression",
            "grouping",
            "paused",
            "is_default",
        ]
        labels = {
            "min_contact_days": lazy("Délai minimum de contact (DMC)"),
            "scope": lazy("Ce qui avance dans le plan"),
            "progression": lazy("Passage d’un niveau à l’autre"),
            "grouping": lazy("Regroupement"),
            "is_default": lazy("Donné aux nouveaux clients"),
        }
        help_texts = {
            "min_contact_days": lazy("Jours qui séparent deux prises de contact d’un même client."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial["minimum"] = f"{self.instance.minimum_cents / 100:.2f}"

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or self.cleaned_data)
        self.instance.minimum_cents = int((values.get("minimum") or 0) * 100)
        if values.get("scope") == Plan.Scope.CUSTOMER:
            values["grouping"] = Plan.Grouping.NONE
        same = Plan.objects.filter(
            organisation=self.instance.organisation, name=values.get("name", "")
        ).exclude(pk=self.instance.pk)
        if same.exists():
            self.add_error("name", _("Un plan porte déjà ce nom."))
        return values


class StepForm(forms.Form):
    """One level: its name, when it triggers, by which channel and in which words."""

    name = forms.CharField(label=lazy("Nom du niveau"), max_length=60)
    days = forms.IntegerField(label=lazy("Jours"), min_value=0, max_value=999)
    trigger = forms.ChoiceField(label=lazy("Déclenchement"), choices=TRIGGERS)
    channel = forms.ChoiceField(label=lazy("Canal"), choices=Channel.choices)
    template = forms.ModelChoiceField(
        label=lazy("Modèle"), queryset=Template.objects.none(), required=False, empty_label="–"
    )
    automatic = forms.BooleanField(label=lazy("Automatique"), required=False)
    repeat_every = forms.IntegerField(
        label=lazy("Répéter tous les"), min_value=1, max_value=365, required=False
    )

    def __init__(self, *args: Any, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["template"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - tells mypy
        field.queryset = Template.objects.filter(organisation=organisation).order_by("name")

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or self.cleaned_data)
        channel = values.get("channel", "")
        if values.get("automatic") and channel not in LEAVES_ALONE:
            self.add_error(
                "automatic",
                _("Seul l’e-mail part tout seul pour l’instant : ce niveau attendra une personne."),
            )
        template = values.get("template")
        if template is not None and _family(template.channel) != _family(channel):
            self.add_error("template", _("Ce modèle est fait pour un autre canal."))
        return values

    def values(self) -> StepValues:
        """What is typed, as the service takes it; the form is valid."""
        data = self.cleaned_data
        before = data["trigger"] == BEFORE
        template = data.get("template")
        return StepValues(
            name=data["name"],
            anchor="due" if before else data["trigger"],
            days=-data["days"] if before else data["days"],
            channel=data["channel"],
            automatic=bool(data.get("automatic")),
            repeat_every=data.get("repeat_every"),
            template_id=template.pk if template else None,
        )

    @property
    def needs_template(self) -> bool:
        """A channel that speaks to the customer, without words yet (S4-11)."""
        return self["channel"].value() in ADDRESSED_CHANNELS and not self["template"].value()


def _family(channel: str) -> str:
    return "letter" if channel == Channel.REGISTERED_LETTER else channel


class BaseSteps(forms.BaseFormSet[StepForm]):
    """The levels in order; faults of the engine are shown at their level and field."""

    def show_faults(self, plan_form: PlanForm, faults: list[PlanFault]) -> None:
        """Put each fault where it can be mended."""
        for fault in faults:
            sentence = fault_sentence(fault, _)
            if fault.level is not None and fault.level <= len(self.forms):
                field = FIELD_OF_FAULT.get(fault.field, fault.field)
                form = self.forms[fault.level - 1]
                form.add_error(field if field in form.fields else None, sentence)
            else:
                plan_form.add_error(
                    fault.field if fault.field in plan_form.fields else None, sentence
                )


StepSet = forms.formset_factory(StepForm, formset=BaseSteps, extra=0, max_num=30, validate_max=True)


def initial_steps(plan: Plan) -> list[dict[str, Any]]:
    """The stored levels as the forms show them."""
    return [
        {
            "name": step.name,
            "days": abs(step.days),
            "trigger": BEFORE if step.days < 0 else step.anchor,
            "channel": step.channel,
            "template": step.template_id,
            "automatic": step.automatic,
            "repeat_every": step.repeat_every,
        }
        for step in plan.steps.order_by("level")
    ]

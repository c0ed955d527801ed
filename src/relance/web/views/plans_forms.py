"""The plan as typed: its own fields, and one small form per level."""

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.dunning.models import Channel, Plan, Template
from relance.dunning.services.plans import StepValues, family
from relance.engine.model import AUTOMATIC_CHANNELS
from relance.engine.plan_rules import PlanFault, fault_sentence
from relance.outbox import mailboxes
from relance.outbox.provider_care import leaves_alone

BEFORE = "before"
TRIGGERS = [
    (BEFORE, lazy("j avant")),
    ("due", lazy("j après")),
    ("issue", lazy("j après la facture")),
    ("due_month_end", lazy("j après la fin du mois")),
    ("previous", lazy("j après la précédente")),
]
MAX_LEVELS = 30
MAX_DAYS = 365
SMALL = {"class": "input input--small"}
DAYS = {"class": "input input--small input--days input--num", "inputmode": "numeric"}
SELECT = {"class": "select select--small select--auto"}
FIELD_OF_FAULT = {"from": "trigger", "days": "days", "automatic": "automatic"}


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]
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
            "is_default",
            "mailbox",
        ]
        labels = {
            "min_contact_days": lazy("Délai minimum de contact (DMC)"),
            "scope": lazy("Ce qui avance dans le plan"),
            "progression": lazy("Passage d’un niveau à l’autre"),
            "grouping": lazy("Regroupement"),
            "is_default": lazy("Donné aux nouveaux clients"),
            "mailbox": lazy("Boîte d’envoi"),
        }
        help_texts = {
            "min_contact_days": lazy("Jours qui séparent deux prises de contact d’un même client."),
            "is_default": lazy("Il remplace celui qui l’était."),
            "mailbox": lazy(
                "Pour ce qui part tout seul. Une boîte en panne retient les messages du plan ; "
                "retirée, ils partent de l’expéditeur de l’entreprise."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        boxes = mailboxes.automatic_choices(self.instance.organisation)
        self.fields["mailbox"].queryset = boxes  # type: ignore[attr-defined]
        self.fields["mailbox"].empty_label = lazy("L’expéditeur de l’entreprise")  # type: ignore[attr-defined]
        if not self.is_bound:
            cents = self.instance.minimum_cents
            self.initial["minimum"] = f"{cents / 100:.2f}" if cents else ""

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

    name = forms.CharField(
        label=lazy("Nom du niveau"), max_length=60, widget=forms.TextInput(SMALL | {"size": 16})
    )
    days = forms.IntegerField(
        label=lazy("Jours"), min_value=0, max_value=MAX_DAYS, widget=forms.NumberInput(DAYS)
    )
    trigger = forms.ChoiceField(
        label=lazy("Déclenchement"), choices=TRIGGERS, widget=forms.Select(SELECT)
    )
    channel = forms.ChoiceField(
        label=lazy("Canal"), choices=Channel.choices, widget=forms.Select(SELECT)
    )
    template = forms.TypedChoiceField(
        label=lazy("Modèle"),
        required=False,
        coerce=int,
        empty_value=None,
        widget=forms.Select(SELECT),
    )
    automatic = forms.BooleanField(label=lazy("Automatique"), required=False)
    repeat_every = forms.IntegerField(
        label=lazy("Répéter tous les"),
        min_value=1,
        max_value=MAX_DAYS,
        required=False,
        widget=forms.NumberInput(DAYS),
    )

    to_confirm = forms.BooleanField(label=lazy("À confirmer avant l’envoi"), required=False)
    send_bare = forms.BooleanField(
        label=lazy("Partir même sans le PDF de la facture"), required=False
    )
    functions = forms.CharField(
        label=lazy("Écrire d’abord à"),
        max_length=200,
        required=False,
        widget=forms.TextInput(SMALL | {"placeholder": lazy("comptable, direction")}),
    )
    owners = forms.TypedMultipleChoiceField(
        label=lazy("À faire par"),
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(
        self,
        *args: Any,
        templates: Sequence[Template],
        people: Sequence[tuple[int, str]] = (),
        alone: Collection[str] = frozenset({"email"}),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.alone = alone
        owners = self.fields["owners"]
        assert isinstance(owners, forms.ChoiceField)  # noqa: S101 - tells mypy
        owners.choices = people
        self.families = {template.pk: family(template.channel) for template in templates}
        field = self.fields["template"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
        field.choices = [("", _("Aucun")), *_by_channel(templates)]
        if not self.may_leave_alone:
            self.fields["automatic"].widget.attrs["disabled"] = True

    @property
    def waits(self) -> str:
        """Why the chosen channel waits for a person, and what would change it."""
        if self["channel"].value() in AUTOMATIC_CHANNELS:
            return _(
                "Raccordez un prestataire dans Paramètres, Canaux, pour qu’il parte tout seul."
            )
        return _("Seuls l’e-mail, le courrier simple et le SMS partent tout seuls.")

    @property
    def may_leave_alone(self) -> bool:
        """Whether the chosen channel can go without a person."""
        return self["channel"].value() in self.alone

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or self.cleaned_data)
        channel = values.get("channel", "")
        if values.get("automatic") and channel not in self.alone:
            self.add_error("automatic", self.waits)
        if not values.get("automatic"):
            values["to_confirm"] = False
        typed = str(values.get("functions") or "").replace(";", ",").split(",")
        values["functions"] = tuple(dict.fromkeys(filter(None, (one.strip() for one in typed))))
        template = values.get("template")
        if template is not None and self.families[template] != family(channel):
            self.add_error("template", _("Ce modèle est fait pour un autre canal."))
        return values

    def values(self) -> StepValues:
        """What is typed, as the service takes it; the form is valid."""
        data = self.cleaned_data
        before = data["trigger"] == BEFORE
        return StepValues(
            name=data["name"],
            anchor="due" if before else data["trigger"],
            days=-data["days"] if before else data["days"],
            channel=data["channel"],
            automatic=bool(data.get("automatic")),
            repeat_every=data.get("repeat_every"),
            template_id=data.get("template"),
            to_confirm=bool(data.get("to_confirm")),
            functions=data.get("functions") or (),
            owner_ids=tuple(data.get("owners") or ()),
            send_without_pdf=bool(data.get("send_bare")),
        )

    @property
    def named(self) -> list[str]:
        """Whom the level addresses first and who does it, for a line under its template."""
        names = dict(self.fields["owners"].choices)  # type: ignore[attr-defined]
        chosen = [str(key) for key in self["owners"].value() or ()]
        doers = [name for key, name in names.items() if str(key) in chosen]
        first = str(self["functions"].value() or "")
        return [
            *([_("d’abord à : %(who)s") % {"who": first}] if first else []),
            *([_("par : %(who)s") % {"who": ", ".join(doers)}] if doers else []),
        ]


def _by_channel(templates: Sequence[Template]) -> list[tuple[str, list[tuple[int, str]]]]:
    """The names of templates under their method of sending."""
    return [
        (str(label), [(one.pk, one.name) for one in templates if one.channel == channel])
        for channel, label in Channel.choices
        if any(one.channel == channel for one in templates)
    ]


class BaseSteps(forms.BaseFormSet):  # type: ignore[type-arg]
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


StepSet = forms.formset_factory(
    StepForm,
    formset=BaseSteps,
    extra=0,
    max_num=MAX_LEVELS,
    absolute_max=MAX_LEVELS + 1,
    validate_max=True,
)


def initial_steps(plan: Plan) -> list[dict[str, Any]]:
    """The stored levels as the forms show them."""
    alone = leaves_alone(plan.organisation_id)
    return [
        {
            "name": step.name,
            "days": abs(step.days),
            "trigger": BEFORE if step.days < 0 else step.anchor,
            "channel": step.channel,
            "template": step.template_id,
            "automatic": step.automatic and step.channel in alone,
            "repeat_every": step.repeat_every,
            "to_confirm": step.to_confirm,
            "send_bare": step.send_without_pdf,
            "functions": ", ".join(step.functions),
            "owners": [person.pk for person in step.owners.all()],
        }
        for step in plan.steps.order_by("level").prefetch_related("owners")
    ]

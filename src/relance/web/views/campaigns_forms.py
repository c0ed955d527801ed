"""The words of a campaign and the hour of its departure; its rules: `dunning.lots.campaigns`."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.dunning.lots import campaigns
from relance.dunning.lots.campaigns import Wish
from relance.dunning.models import Batch, Channel, Template
from relance.dunning.wording import templating
from relance.dunning.wording.messages import Words
from relance.outbox.mailboxes import senders
from relance.web.queries.campaigns import ABOUT

LONGEST_BODY = 20_000


class CampaignForm(forms.Form):
    """What the clients of a draft will read, and who is left out."""

    title = forms.CharField(label=lazy("Nom de la campagne"), max_length=120)
    channel = forms.ChoiceField(
        label=lazy("Méthode d’envoi"),
        choices=[(Channel.EMAIL, lazy("E-mail")), (Channel.LETTER, lazy("Courrier"))],
        help_text=lazy("Un courrier s’imprime ensuite depuis « Courriers »."),
    )
    sender = forms.ChoiceField(label=lazy("De"), required=False)
    about = forms.ChoiceField(label=lazy("Le message parle"))
    subject = forms.CharField(label=lazy("Objet"), max_length=200)
    body = forms.CharField(
        label=lazy("Texte"),
        max_length=LONGEST_BODY,
        widget=forms.Textarea(attrs={"class": "textarea--message", "rows": 12}),
    )
    recent_days = forms.IntegerField(
        label=lazy("Laisser de côté les clients contactés depuis moins de"),
        required=False,
        min_value=0,
        max_value=365,
        help_text=lazy("jours ; vide : écrire à tous."),
        widget=forms.NumberInput(attrs={"class": "input--days"}),
    )
    once = forms.BooleanField(
        label=lazy("Une seule fois par adresse"),
        required=False,
        help_text=lazy("Deux fiches de la même société ne reçoivent pas deux fois le message."),
    )

    def __init__(self, access: Access, batch: Batch, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access, self.batch = access, batch
        chosen = bool(batch.options.get("chosen"))
        self.fields["about"].choices = [  # type: ignore[attr-defined]
            (key, label) for key, label in ABOUT.items() if chosen or key != campaigns.CHOSEN
        ]
        self.fields["sender"].choices = [  # type: ignore[attr-defined]
            (one.key, one.label) for one in senders(access.organisation, access.user)
        ]

    def clean_subject(self) -> str:
        return self._known(str(self.cleaned_data["subject"]), blocks=False)

    def clean_body(self) -> str:
        return self._known(str(self.cleaned_data["body"]), blocks=True)

    def _known(self, source: str, *, blocks: bool) -> str:
        found = templating.faults(source, blocks_allowed=blocks)
        if found:
            raise forms.ValidationError([fault.message for fault in found])
        return source

    def clean(self) -> dict[str, Any]:
        """Variables of invoices need invoices: said before, not when it leaves."""
        values = dict(super().clean() or self.cleaned_data)
        if not self.errors:
            words = Words(values["subject"], values["body"])
            for fault in campaigns.faults(words, values["about"]):
                self.add_error("body", fault.message)
        return values

    def values(self) -> dict[str, Any]:
        """The fields of the batch; its selection stays."""
        data = self.cleaned_data
        options = self.batch.options | {
            "about": data["about"],
            "recent_days": data["recent_days"] or 0,
            "once": data["once"],
            "sender": data["sender"],
        }
        return {
            "title": data["title"],
            "channel": data["channel"],
            "subject": data["subject"],
            "body": data["body"],
            "options": options,
        }

    def wish(self) -> Wish:
        """What is being typed, valid or not: for the sheet beside it."""
        about, channel = str(self["about"].value() or ""), str(self["channel"].value() or "")
        wish = campaigns.wish_of(self.batch)
        return wish._replace(
            words=Words(
                str(self["subject"].value() or "")[:200],
                str(self["body"].value() or "")[:LONGEST_BODY],
            ),
            about=about if about in ABOUT else campaigns.NONE,
            channel=channel if channel in campaigns.CHANNELS else Channel.EMAIL,
        )

    def with_template(self, template: Template) -> "CampaignForm":
        """The same form, unbound, with the words of a template."""
        initial = {name: self[name].value() for name in self.fields}
        initial |= {
            "subject": template.subject or initial["subject"],
            "body": template.body,
            "channel": template.channel,
        }
        words = Words(template.subject, template.body)
        speaks = campaigns.OF_INVOICES & campaigns.names_in(words)
        if speaks and initial["about"] == campaigns.NONE:
            initial["about"] = campaigns.LATE
        return CampaignForm(self.access, self.batch, initial=initial)


class LaunchForm(forms.Form):
    """Now, or on a day at an hour of the dossier's clock."""

    quand = forms.ChoiceField(
        label=lazy("Départ"),
        choices=[("maintenant", lazy("Maintenant")), ("plus-tard", lazy("Plus tard"))],
        initial="maintenant",
        widget=forms.RadioSelect,
    )
    jour = forms.DateField(
        label=lazy("Le"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    heure = forms.TimeField(
        label=lazy("à"),
        required=False,
        initial="09:00",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def __init__(self, today: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["jour"].widget.attrs["min"] = today.isoformat()

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or self.cleaned_data)
        later = values.get("quand") == "plus-tard"
        if later and not values.get("jour") and "jour" not in self.errors:
            self.add_error("jour", _("Choisissez un jour."))
        return values

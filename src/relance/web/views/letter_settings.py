"""Paramètres, Courriers: the letterhead of a dossier, seen before it is kept, and the test page."""

from typing import Any

from django import forms
from django.contrib import messages as notes
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import override
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, Organisation
from relance.bank.previews import apart
from relance.dunning.services.plans import save_settings
from relance.dunning.wording import formal_notice, letters
from relance.engine.wording import date_words, money_words
from relance.ledger.models import Customer
from relance.outbox import print_runs
from relance.outbox.channels.letter import sheets
from relance.outbox.channels.letter.logos import MOST_BYTES, Logo, LogoError, accepted
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.settings import tabs_of

MOST_FOOTER_LINES = 3


class LetterForm(forms.ModelForm):  # type: ignore[type-arg]
    """What stands at the head and at the foot of every letter."""

    picture = forms.FileField(
        label=lazy("Logo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg"}),
        help_text=lazy("PNG ou JPEG, imprimé sur 62 mm de large et 18 mm de haut au plus."),
    )
    without = forms.BooleanField(label=lazy("Retirer le logo"), required=False)
    legal_form = forms.CharField(
        label=lazy("Forme juridique"),
        max_length=120,
        required=False,
        help_text=lazy(
            "Avec le capital et le RCS, sous votre adresse\u00a0: obligatoire en société."
        ),
    )
    letter_footer = forms.CharField(
        label=lazy("Pied de page"),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": MOST_FOOTER_LINES}),
        help_text=lazy("Trois lignes au plus, au bas de chaque page."),
    )

    class Meta:
        model = Organisation
        fields = ["legal_form", "letter_footer"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logo: Logo | None = None

    def clean_legal_form(self) -> str:
        return " ".join(str(self.cleaned_data["legal_form"]).split())

    def clean_letter_footer(self) -> str:
        typed = str(self.cleaned_data["letter_footer"]).splitlines()
        lines = [line for line in (" ".join(one.split()) for one in typed) if line]
        if len(lines) > MOST_FOOTER_LINES:
            raise forms.ValidationError(
                _("Trois lignes au plus\u00a0: il n’y a pas plus de place.")
            )
        return "\n".join(lines)

    def clean_picture(self) -> None:
        """Keep the picture as it will be printed in `logo`."""
        sent = self.cleaned_data.get("picture")
        if not isinstance(sent, UploadedFile):
            return
        try:
            self.logo = accepted(sent.read(MOST_BYTES + 1))
        except LogoError as refused:
            raise forms.ValidationError(str(refused)) from refused

    def changes(self, organisation: Organisation) -> dict[str, object]:
        """What to save; a new logo is stored under a name that only this picture has."""
        values: dict[str, object] = {
            "legal_form": self.cleaned_data["legal_form"],
            "letter_footer": self.cleaned_data["letter_footer"],
        }
        if self.logo is not None:
            values["logo"] = _kept(self.logo, organisation)
        elif self.cleaned_data["without"]:
            values["logo"] = ""
        return values


def _kept(logo: Logo, organisation: Organisation) -> str:
    """The stored name; letters written before keep the picture that they had."""
    name = f"logos/{organisation.pk}/{logo.name}"
    return (
        name
        if default_storage.exists(name)
        else default_storage.save(name, ContentFile(logo.content))
    )


def letter_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """The letterhead, for the administrators of the dossier, beside a letter that bears it."""
    access = enter(request, slug, DunningRole.ADMIN)
    own = Organisation.objects.get(pk=access.organisation.pk)
    sent = request.method == "POST"
    form = LetterForm(request.POST if sent else None, request.FILES if sent else None, instance=own)
    if sent and form.is_valid():
        save_settings(
            access.organisation,
            changes=form.changes(access.organisation),
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
        notes.success(request, _("Paramètres enregistrés."))
        return redirect(request.path)
    context = {
        "access": access,
        "form": form,
        "tabs": tabs_of(access, "courriers"),
        "lacks": formal_notice.lacks_of(access.organisation),
        "version": access.organisation.logo.name or "",
    }
    return render(request, "settings/letters.html", context)


@require_POST
def letter_settings_try(request: HttpRequest, slug: str) -> HttpResponse:
    """« Voir avant d’enregistrer »: a letter with what is typed now, logo included, as a PDF."""
    access = enter(request, slug, DunningRole.ADMIN)
    own = Organisation.objects.get(pk=access.organisation.pk)
    form = LetterForm(request.POST, request.FILES, instance=own)
    if not form.is_valid():
        context = {
            "access": access,
            "form": form,
            "tabs": tabs_of(access, "courriers"),
            "lacks": [],
            "version": access.organisation.logo.name or "",
        }
        return render(request, "settings/letters.html", context, status=422)
    for field, value in form.changes(own).items():
        setattr(own, field, value)
    return HttpResponse(_sample(request, access, own), content_type="application/pdf")


@require_GET
def letter_settings_picture(request: HttpRequest, slug: str) -> HttpResponse:
    """The first page of a letter under the present letterhead, as a PNG."""
    access = enter(request, slug, DunningRole.ADMIN)
    picture = apart(_sample(request, access, access.organisation), "application/pdf", "0")
    if picture is None:
        raise Http404
    return HttpResponse(picture, content_type="image/png")


def _sample(request: HttpRequest, access: Access, organisation: Organisation) -> bytes:
    """A letter to nobody, under the letterhead of `organisation`."""
    today = today_of(request, access)
    customer = Customer(
        organisation=organisation,
        code="C0042",
        name="Société de démonstration SARL",
        address="Service comptabilité\n125 boulevard Georges-Clemenceau\nBP 40",
        postcode="29000",
        city="Quimper Cedex 9",
        language="fr",
    )
    with override("fr"):
        day = date_words(today, _)
        letter = letters.compose(
            organisation,
            customer,
            subject=_("Aperçu de vos courriers"),
            pieces=[
                ("", _("Madame, Monsieur,")),
                ("", _("Sauf erreur de notre part, les factures ci-dessous restent impayées.")),
                ("tableau_factures", "x"),
                ("", _("Merci de procéder à leur règlement, ou de nous indiquer une date.")),
                ("", f"{organisation.signature or request.user}\n{organisation.name}"),
            ],
            table=letters.Table(
                head=[_("Facture"), _("Date"), _("Échéance"), _("Reste dû")],
                rows=[
                    ["FA-1001", day, day, money_words(123_450, "EUR")],
                    ["FA-1002", day, day, money_words(67_800, "EUR")],
                ],
                total=(_("Total à régler"), money_words(191_250, "EUR")),
            ),
            date_words=day,
            currency="EUR",
            signature=str(request.user),
        )
    return print_runs.preview(letter, now=moment(request))


@require_GET
def envelope_test(request: HttpRequest, slug: str) -> HttpResponse:
    """« Page d’essai d’enveloppe »: to be printed and folded once, before many letters are."""
    access = enter(request, slug)
    pdf = sheets.envelope_test(access.organisation.name, at=moment(request))
    headers = {"Content-Disposition": 'inline; filename="essai-enveloppe.pdf"'}
    return HttpResponse(pdf, content_type="application/pdf", headers=headers)


urlpatterns = [
    path("parametres/courriers/", letter_settings, name="settings_letters"),
    path("parametres/courriers/essai/", letter_settings_try, name="settings_letters_try"),
    path("parametres/courriers/apercu.png", letter_settings_picture, name="settings_letters_png"),
    path("courriers/page-essai/", envelope_test, name="envelope_test"),
]

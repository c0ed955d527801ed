"""Paramètres › Réception: the dossier's own address, the mailbox that is read, the webhook."""

from typing import Any

from django.conf import settings
from django.contrib import messages as notes
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.outbox.inbound import care
from relance.outbox.inbound.addresses import own_address
from relance.outbox.models import Inbox, Mailbox
from relance.web.inbound_words import fault_words, trouble_of
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.server_form import ServerForm
from relance.web.views.settings import tabs_of

TRIAL_SECONDS = 60


class InboxForm(ServerForm):
    """Where replies are read."""

    class Meta:
        model = Inbox
        fields = ["address", "host", "port", "security", "username", "folder"]
        labels = {
            "address": lazy("Adresse e-mail"),
            "host": lazy("Serveur de réception (IMAP)"),
            "port": lazy("Port"),
            "security": lazy("Chiffrement"),
            "username": lazy("Identifiant"),
            "folder": lazy("Dossier de la boîte"),
        }
        help_texts = {
            "address": lazy("Celle où arrivent les réponses à vos relances."),
            "host": lazy("Votre hébergeur le donne, par exemple imap.votre-domaine.fr."),
            "port": lazy("993 avec TLS, 143 avec STARTTLS."),
            "username": lazy("Souvent l’adresse elle-même."),
            "folder": lazy(
                "INBOX lit toute la boîte. Si elle sert aussi à autre chose, faites-y un dossier "
                "où une règle range les réponses, et écrivez son nom ici."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"].required = True
        self.fields["host"].required = True
        self.fields["security"].widget.choices = [
            (Mailbox.Security.TLS, "TLS (993)"),
            (Mailbox.Security.STARTTLS, "STARTTLS (143)"),
            (Mailbox.Security.NONE, _("Aucun chiffrement")),
        ]
        self.say_what_is_kept()

    def clean_folder(self) -> str:
        return " ".join(str(self.cleaned_data["folder"]).split()) or "INBOX"

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        self.require_encryption(data, with_password=True)
        if data.get("password") and not data["password"].isascii():
            self.add_error("password", _("IMAP n’accepte ici que des lettres sans accent."))
        return data


@require_GET
def settings_inbound(request: HttpRequest, slug: str) -> HttpResponse:
    """Where replies come in, and whether it works."""
    return _settings(request, enter(request, slug, DunningRole.ADMIN))


def _settings(request: HttpRequest, access: Access, *, webhook: str = "") -> HttpResponse:
    inboxes = access.all(Inbox).filter(retired_at=None).order_by("pk")
    context = {
        "access": access,
        "tabs": tabs_of(access, "reception"),
        "own": own_address(access.organisation),
        "boxes": [
            {"box": one, "trouble": trouble_of(one)} for one in inboxes if one.token_hash == ""
        ],
        "hook": next((one for one in inboxes if one.token_hash), None),
        "webhook": webhook,
        "demo": settings.DEMO,
    }
    return render(request, "inbound/settings.html", context)


@require_http_methods(["GET", "POST"])
def inbox_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Connect the mailbox where replies arrive."""
    access = enter(request, slug, DunningRole.ADMIN)
    return _edit(request, access, Inbox(organisation=access.organisation))


@require_http_methods(["GET", "POST"])
def inbox_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One mailbox that is read: its settings, and whether it works."""
    access = enter(request, slug, DunningRole.ADMIN)
    return _edit(request, access, access.get(Inbox, pk=pk, retired_at=None, token_hash=""))


@require_POST
def inbox_test(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Connect for real; from the first success on, what arrives is read."""
    access = enter(request, slug, DunningRole.ADMIN)
    inbox = access.get(Inbox, pk=pk, retired_at=None, token_hash="")
    busy = f"inbox-trial-{user_of(request).pk}"
    if not cache.add(busy, 1, TRIAL_SECONDS):
        notes.warning(request, _("Un essai est déjà en cours : attendez qu’il finisse."))
        return redirect("inbox_detail", slug, pk)
    try:
        trial = care.try_out(inbox, now=moment(request))
    finally:
        cache.delete(busy)
    return _page(request, access, inbox, InboxForm(instance=inbox), trial=trial)


@require_POST
def inbox_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Read it no more, and forget its password or its secret address."""
    access = enter(request, slug, DunningRole.ADMIN)
    care.retire(access.get(Inbox, pk=pk, retired_at=None), deed=_deed(request, access))
    notes.success(request, _("Retirée. Ce qui est déjà arrivé reste."))
    return redirect("settings_inbound", slug)


@require_POST
def inbox_webhook(request: HttpRequest, slug: str) -> HttpResponse:
    """A new address for a provider's webhook, shown this once."""
    access = enter(request, slug, DunningRole.ADMIN)
    _inbox, token = care.open_webhook(access.organisation, deed=_deed(request, access))
    url = settings.PUBLIC_URL + reverse("inbound_receive", args=[token])
    answer = _settings(request, access, webhook=url)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _deed(request: HttpRequest, access: Access) -> care.Deed:
    return care.Deed(user_of(request), today_of(request, access), moment(request))


def _edit(request: HttpRequest, access: Access, inbox: Inbox) -> HttpResponse:
    form = InboxForm(request.POST if request.method == "POST" else None, instance=inbox)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data["password"] or None
        try:
            care.save(form.instance, password=typed, deed=_deed(request, access))
        except care.CareError:
            form.add_error(
                "password",
                _("Le serveur ou l’identifiant change : tapez de nouveau le mot de passe."),
            )
        else:
            notes.success(request, _("Boîte enregistrée. Testez-la : elle sera lue ensuite."))
            return redirect("inbox_detail", access.organisation.slug, form.instance.pk)
    return _page(request, access, inbox, form)


def _page(
    request: HttpRequest,
    access: Access,
    inbox: Inbox,
    form: InboxForm,
    *,
    trial: care.Trial | None = None,
) -> HttpResponse:
    context = {
        "access": access,
        "stored": Inbox.objects.get(pk=inbox.pk) if inbox.pk else None,
        "form": form,
        "trial": trial,
        "trial_fault": fault_words(trial.code) if trial and trial.code else "",
        "trouble": trouble_of(inbox),
        "demo": settings.DEMO,
    }
    return render(request, "inbound/inbox.html", context)


urlpatterns = [
    path("parametres/reception/", settings_inbound, name="settings_inbound"),
    path("parametres/reception/nouvelle/", inbox_new, name="inbox_new"),
    path("parametres/reception/webhook/", inbox_webhook, name="inbox_webhook"),
    path("parametres/reception/<int:pk>/", inbox_detail, name="inbox_detail"),
    path("parametres/reception/<int:pk>/tester/", inbox_test, name="inbox_test"),
    path("parametres/reception/<int:pk>/retirer/", inbox_remove, name="inbox_remove"),
]

"""Mailboxes: the organisation's (Paramètres › Mails) and one's own (S2-22, S4-04, S4-05)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages as notes
from django.core.cache import cache
from django.core.validators import MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.outbox import domains, mailbox_care, mailboxes, pace
from relance.outbox.channels.email.check import Trial
from relance.outbox.models import Mailbox
from relance.web import mailbox_words
from relance.web.domain_words import look_of
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.server_form import ServerForm
from relance.web.views import mailbox_consent
from relance.web.views.mailbox_consent import of_access

TRIAL_SECONDS = 30


class MailboxForm(ServerForm):
    """Where and how to connect."""

    class Meta:
        model = Mailbox
        fields = [
            *("address", "name", "host", "port", "security", "username"),
            *("per_minute", "per_day"),
        ]
        labels = {
            "address": lazy("Adresse e-mail"),
            "name": lazy("Nom affiché"),
            "host": lazy("Serveur d’envoi (SMTP)"),
            "port": lazy("Port"),
            "security": lazy("Chiffrement"),
            "username": lazy("Identifiant"),
            "per_minute": lazy("Messages par minute, au plus"),
            "per_day": lazy("Messages en 24 heures, au plus"),
        }
        help_texts = {
            "address": lazy(
                "Les relances partiront de cette adresse. Elle peut être un alias du compte."
            ),
            "name": lazy("Ce que vos clients lisent comme expéditeur."),
            "host": lazy("Votre hébergeur le donne, par exemple smtp.votre-domaine.fr."),
            "port": lazy("587 avec STARTTLS, 465 avec TLS."),
            "username": lazy("Souvent l’adresse elle-même ; autre chose quand c’est un alias."),
            "per_minute": lazy("Vide : aussi vite que le serveur le permet."),
            "per_day": lazy("Vide : sans limite. Ce qui dépasse attend, sans perdre d’essai."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["port"].min_value = 1  # type: ignore[attr-defined]
        for limit in ("per_minute", "per_day"):
            self.fields[limit].required = False
            self.fields[limit].min_value = 1  # type: ignore[attr-defined]
            self.fields[limit].validators.append(MinValueValidator(1))
        if self.instance.auth != Mailbox.Auth.PASSWORD:  # its provider says where and how
            for name in ("host", "port", "security", "username", "password"):
                del self.fields[name]
            return
        self.say_what_is_kept()

    def clean_name(self) -> str:
        """On one line: it stands in the headers of messages."""
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("password") and not data["password"].isascii():
            self.add_error("password", mailbox_words.sentence("LOGIN_NOT_ASCII", self.instance))
        self.require_encryption(data, with_password=bool(data.get("username")))
        return data


@require_http_methods(["GET", "POST"])
def mailbox_new(request: HttpRequest, slug: str) -> HttpResponse:
    """A mailbox of the organisation, by an administrator."""
    access = enter(request, slug, DunningRole.ADMIN)
    return _edit(request, access, Mailbox(organisation=access.organisation))


@require_http_methods(["GET", "POST"])
def mailbox_own(request: HttpRequest, slug: str) -> HttpResponse:
    """One's own mailbox: connect it, or to the one connected already."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    user = user_of(request)
    known = access.all(Mailbox).filter(owner=user, retired_at=None).order_by("pk").first()
    if known:
        return redirect("mailbox_detail", slug, known.pk)
    mailbox = Mailbox(
        organisation=access.organisation, owner=user, address=user.email, name=user.full_name
    )
    mailbox.username = user.email
    return _edit(request, access, mailbox)


@require_http_methods(["GET", "POST"])
def mailbox_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One mailbox: its settings, whether it works, and what one can do with it."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    return _edit(request, access, of_access(access, pk))


@require_POST
def mailbox_test(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Connect for real, and with `envoyer` send a message to oneself."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    mailbox, user = of_access(access, pk), user_of(request)
    busy = f"mailbox-trial-{user.pk}"
    if not cache.add(busy, 1, TRIAL_SECONDS):
        notes.warning(request, _("Un essai est déjà en cours : attendez qu’il finisse."))
        return redirect("mailbox_detail", slug, pk)
    letter = None
    if "envoyer" in request.POST:
        letter = mailbox_care.letter_to(
            mailbox,
            user.email,
            subject=_("Essai de votre boîte d’envoi"),
            text=_("Si vous lisez ceci, vos relances peuvent partir de %(address)s.\n")
            % {"address": mailbox.address},
            at=moment(request),
        )
    try:
        trial = mailbox_care.try_out(mailbox, now=moment(request), letter=letter)
        _look(access, mailbox.address, moment(request))
    finally:
        cache.delete(busy)
    return _page(request, access, mailbox, MailboxForm(instance=mailbox), trial=trial)


@require_POST
def domain_look(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the DNS about the domain that relances leave from (Paramètres › Mails)."""
    access = enter(request, slug, DunningRole.ADMIN)
    sender = mailboxes.automatic_sender(access.organisation)
    busy = f"mailbox-trial-{user_of(request).pk}"
    if cache.add(busy, 1, TRIAL_SECONDS):
        try:
            _look(access, sender.address, moment(request))
        finally:
            cache.delete(busy)
    else:
        notes.warning(request, _("Un essai est déjà en cours : attendez qu’il finisse."))
    return redirect("settings_mails", slug)


def _look(access: Access, address: str, now: datetime) -> None:
    """A demonstration asks nobody: its domains are invented."""
    domain = domains.domain_of(address)
    if domain and not settings.DEMO:
        domains.look_again(access.organisation, domain, now=now)


@require_POST
def mailbox_default(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Let everything automatic leave from this mailbox, or from it no more."""
    access = enter(request, slug, DunningRole.ADMIN)
    mailbox = of_access(access, pk)
    chosen = None if mailbox.is_default else mailbox
    try:
        mailbox_care.make_default(access.organisation, chosen, **_deed(request, access))
    except mailbox_care.MailboxError:
        notes.error(request, _("Testez d’abord cette boîte : elle n’a pas encore fonctionné."))
    return redirect("mailbox_detail", slug, pk)


@require_POST
def mailbox_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Forget a mailbox and its password; what waited leaves from elsewhere."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    mailbox = of_access(access, pk)
    try:
        moved = mailbox_care.retire(mailbox, **_deed(request, access))
    except mailbox_care.MailboxError:
        notes.error(request, _("Des messages partent par cette boîte en ce moment : réessayez."))
        return redirect("mailbox_detail", slug, pk)
    if moved:
        said = _("Boîte retirée. Messages qui partiront de l’adresse de l’entreprise : %(n)s.")
        notes.success(request, said % {"n": moved})
    else:
        notes.success(request, _("Boîte retirée, mot de passe oublié."))
    return redirect(_back(access, mailbox))


def _deed(request: HttpRequest, access: Access) -> dict[str, Any]:
    return {
        "actor": user_of(request),
        "on": today_of(request, access),
        "now": moment(request),
    }


def _edit(request: HttpRequest, access: Access, mailbox: Mailbox) -> HttpResponse:
    form = MailboxForm(request.POST if request.method == "POST" else None, instance=mailbox)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data.get("password") or None
        if form.cleaned_data.get("username") == "":
            typed = ""
        try:
            mailbox_care.save(form.instance, password=typed, **_deed(request, access))
        except mailbox_care.MailboxError as error:
            if error.code == "ADDRESS_TAKEN":
                form.add_error("address", _("Une boîte est déjà connectée pour cette adresse."))
            else:
                form.add_error(
                    "password",
                    _("Le serveur ou l’identifiant change : tapez de nouveau le mot de passe."),
                )
        else:
            notes.success(request, _("Boîte enregistrée. Testez-la : elle servira ensuite."))
            return redirect("mailbox_detail", access.organisation.slug, form.instance.pk)
    return _page(request, access, mailbox, form)


def _page(
    request: HttpRequest,
    access: Access,
    mailbox: Mailbox,
    form: MailboxForm,
    *,
    trial: Trial | None = None,
) -> HttpResponse:
    ways = mailbox_consent.ways(access, mailbox)
    context = {
        "access": access,
        "mailbox": mailbox,
        "stored": mailbox if mailbox.pk else None,
        "own": mailbox.owner_id is not None,
        "form": form,
        "trial": trial,
        "lines": mailbox_words.lines_of(trial, mailbox) if trial else [],
        "trouble": mailbox_words.trouble_of(mailbox),
        "demo": settings.DEMO,
        "ways": ways,
        "offered": any(way["url"] for way in ways),
        "missing": _(" ni chez ").join(way["name"] for way in ways if not way["url"]),
        "provider": mailbox_words.provider_name(mailbox.auth),
        "look": look_of(access.organisation, mailbox.address, mailbox) if mailbox.pk else None,
        "halt": pace.halt_of(mailbox, at=moment(request)) if mailbox.pk else None,
        "back": _back(access, mailbox),
    }
    return render(request, "mailboxes/detail.html", context)


def _back(access: Access, mailbox: Mailbox) -> str:
    name = "settings_mails" if mailbox.owner_id is None else "preferences_detail"
    return reverse(name, args=[access.organisation.slug])


urlpatterns = [
    path("parametres/mails/boites/nouvelle/", mailbox_new, name="mailbox_new"),
    path("preferences/boite/", mailbox_own, name="mailbox_own"),
    path("boites/<int:pk>/", mailbox_detail, name="mailbox_detail"),
    path("boites/<int:pk>/tester/", mailbox_test, name="mailbox_test"),
    path("boites/<int:pk>/defaut/", mailbox_default, name="mailbox_default"),
    path("boites/<int:pk>/retirer/", mailbox_remove, name="mailbox_remove"),
    path("parametres/mails/domaine/", domain_look, name="domain_look"),
    *mailbox_consent.urlpatterns,
]

"""Connecting a mailbox by consent: to Google or Microsoft and back, with a state and PKCE."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.outbox import mailbox_care, oauth
from relance.outbox.models import Mailbox
from relance.web import mailbox_words
from relance.web.requests import enter, moment, today_of, user_of

KEPT = "mailbox_consent"
OWN, COMMON = "moi", "entreprise"


def ways(access: Access, mailbox: Mailbox) -> list[dict[str, str]]:
    """The providers that a mailbox may be connected at; without `url` the installation is not."""
    slug = access.organisation.slug
    whose = str(mailbox.pk) if mailbox.pk else OWN if mailbox.owner_id else COMMON
    return [
        {
            "name": provider.name,
            "url": f"{reverse(f'mailbox_consent_{key}', args=[slug])}?{urlencode({'boite': whose})}"
            if oauth.configured(key)
            else "",
        }
        for key, provider in oauth.providers().items()
    ]


@require_GET
def mailbox_consent(request: HttpRequest, slug: str, provider: str) -> HttpResponse:
    """Begin: remember who asks for which mailbox, and go to the provider.

    It changes nothing but one's own session; a form could not lead there (CSP `form-action`).
    """
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    whose = request.GET.get("boite", COMMON)
    mailbox = _asked_for(access, whose)
    try:
        begun = oauth.begin(provider, back=_back_address(), hint=mailbox.address)
    except oauth.TokenError as fault:
        notes.error(request, mailbox_words.consent_words(fault.code, provider))
        return redirect(_page_of(slug, mailbox))
    request.session[KEPT] = {
        "provider": provider,
        "slug": slug,
        "whose": whose,
        "state": begun.state,
        "verifier": begun.verifier,
    }
    return HttpResponse(status=302, headers={"Location": begun.url})


@require_GET
def mailbox_back(request: HttpRequest) -> HttpResponse:
    """End: the provider's answer, which counts once and only for the question that was asked."""
    kept: dict[str, str] | None = request.session.pop(KEPT, None)
    if kept is None or not constant_time_compare(request.GET.get("state", ""), kept["state"]):
        raise PermissionDenied
    slug, provider = kept["slug"], kept["provider"]
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    mailbox = _asked_for(access, kept["whose"])
    code = request.GET.get("code", "")
    if not code:
        notes.error(request, mailbox_words.consent_words("CONSENT_DENIED", provider))
        return redirect(_page_of(slug, mailbox))
    deed: dict[str, Any] = {
        "actor": user_of(request),
        "on": today_of(request, access),
        "now": moment(request),
    }
    try:
        tokens = oauth.finish(
            provider, code=code, verifier=kept["verifier"], back=_back_address(), now=deed["now"]
        )
        mailbox = mailbox_care.consent(mailbox, provider, tokens, **deed)
    except oauth.TokenError as fault:
        notes.error(request, mailbox_words.consent_words(fault.code, provider))
        return redirect(_page_of(slug, mailbox))
    except mailbox_care.MailboxError:
        notes.error(request, _("Une boîte est déjà connectée pour cette adresse."))
        return redirect(_page_of(slug, mailbox))
    notes.success(request, _("Boîte connectée. Testez-la : elle servira ensuite."))
    return redirect("mailbox_detail", slug, mailbox.pk)


def _asked_for(access: Access, whose: str) -> Mailbox:
    """One's own, the organisation's for an administrator, new or connected already."""
    if whose == OWN:
        known = access.all(Mailbox).filter(owner=access.user, retired_at=None).order_by("pk")
        new = Mailbox(organisation=access.organisation, owner=access.user)
        new.name = access.user.full_name
        return known.first() or new
    if whose == COMMON:
        access.require(DunningRole.ADMIN)
        return Mailbox(organisation=access.organisation)
    if not whose.isdecimal():
        raise Http404
    return of_access(access, int(whose))


def of_access(access: Access, pk: int) -> Mailbox:
    """His own, or the organisation's for an administrator; nobody opens that of another."""
    mailbox = access.get(Mailbox, pk=pk, retired_at=None)
    if mailbox.owner_id is None:
        access.require(DunningRole.ADMIN)
    elif mailbox.owner_id != access.user.pk:
        raise Http404
    return mailbox


def _page_of(slug: str, mailbox: Mailbox) -> str:
    if mailbox.pk:
        return reverse("mailbox_detail", args=[slug, mailbox.pk])
    return reverse("mailbox_own" if mailbox.owner_id else "mailbox_new", args=[slug])


def _back_address() -> str:
    """The one address that is registered at the providers for this installation."""
    return f"{settings.PUBLIC_URL}{reverse('mailbox_back')}"


urlpatterns = [
    path(
        f"boites/consentement/{key}/",
        mailbox_consent,
        {"provider": key},
        name=f"mailbox_consent_{key}",
    )
    for key in ("google", "microsoft")
]
door_urlpatterns = [path("boites/retour/", mailbox_back, name="mailbox_back")]

"""Paramètres › Canaux: who posts letters and sends SMS; and what providers call back."""

import hmac
import json
from typing import Any

from django.conf import settings
from django.contrib import messages as notes
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import DunningRole, Organisation
from relance.dunning.daily import tracked
from relance.formats.phones import PhoneError, mobile
from relance.outbox import provider_accounts as accounts
from relance.outbox import providers
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.accounts import HOOK_KEY, MERCI_FACTEUR, secrets_of
from relance.outbox.channels.postal.merci_facteur import read_call
from relance.outbox.channels.sms.accounts import HTTP, generic
from relance.outbox.models import POSTED, Message, PostalAccount, SmsAccount, Status
from relance.web import channel_words, french
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.channels_forms import PostalForm, SmsForm
from relance.web.views.settings import tabs_of

TRIAL_SECONDS = 60
KINDS = {"courrier": "letter", "sms": "sms"}


@require_http_methods(["GET", "POST"])
def settings_channels(request: HttpRequest, slug: str) -> HttpResponse:
    """Both accounts, with their state; a POST saves one of them."""
    access = enter(request, slug, DunningRole.ADMIN)
    kind = request.POST.get("kind") if request.method == "POST" else None
    post, texts = _accounts(access)
    forms = (
        PostalForm(post, request.POST if kind == "courrier" else None),
        SmsForm(texts, request.POST if kind == "sms" else None),
    )
    for form in forms:
        if form.is_bound and form.is_valid():
            accounts.save(form.filled(), **_deed(request, access))
            notes.success(request, _("Enregistré. Faites un essai avant de l’activer."))
            return redirect("settings_channels", slug)
    return _page(request, access, *forms)


def _accounts(access: Access) -> tuple[PostalAccount, SmsAccount]:
    post, texts = accounts.of(access.organisation)
    return (
        post or PostalAccount(organisation=access.organisation),
        texts or SmsAccount(organisation=access.organisation),
    )


def _page(request: HttpRequest, access: Access, postal: PostalForm, sms: SmsForm) -> HttpResponse:
    letters = accounts.waiting_letters(access.organisation).count()
    texts = accounts.waiting_sms(access.organisation).count()
    context = {
        "access": access,
        "tabs": tabs_of(access, "canaux"),
        "postal": postal,
        "sms": sms,
        "parts": [
            _part("courrier", postal.account, postal, letters),
            _part("sms", sms.stored, sms, texts),
        ],
        "demo": settings.DEMO,
        "phone": request.session.get("trial_phone", ""),
    }
    return render(request, "channels/settings.html", context)


def _part(kind: str, account: Any, form: Any, waiting: int) -> dict[str, Any]:
    slug = account.organisation.slug
    token = accounts.call_token(account.organisation_id, KINDS[kind])
    name = "channel_call_sms" if kind == "sms" else "channel_call_post"
    return {
        "kind": kind,
        "account": account if account.pk else None,
        "form": form,
        "waiting": waiting,
        "provider": channel_words.PROVIDERS.get(account.provider, ""),
        "trouble": channel_words.trouble(account.check_error),
        "address": f"{settings.PUBLIC_URL}{reverse(name, args=[slug, token])}",
    }


def _deed(request: HttpRequest, access: Access) -> dict[str, Any]:
    return {
        "actor": user_of(request),
        "on": today_of(request, access),
        "now": moment(request),
    }


def _account(access: Access, kind: str) -> PostalAccount | SmsAccount:
    if kind not in KINDS:
        raise Http404
    post, texts = accounts.of(access.organisation)
    found = texts if kind == "sms" else post
    if found is None:
        raise Http404
    return found


@require_POST
def channel_test(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Log in at the post's provider; send one SMS to oneself. One trial at a time."""
    access = enter(request, slug, DunningRole.ADMIN)
    account = _account(access, kind)
    busy = f"channel-trial-{access.organisation.pk}"
    if not cache.add(busy, 1, TRIAL_SECONDS):
        notes.warning(request, _("Un essai est déjà en cours\u00a0: attendez qu’il finisse."))
        return redirect("settings_channels", slug)
    try:
        if isinstance(account, SmsAccount):
            _try_sms(request, account)
        else:
            _try_post(request, account)
    except DeliveryError as error:
        notes.error(
            request,
            _("L’essai a échoué\u00a0: %(why)s") % {"why": channel_words.trouble(error.answer)},
        )
    finally:
        cache.delete(busy)
    return redirect("settings_channels", slug)


def _try_post(request: HttpRequest, account: PostalAccount) -> None:
    now = moment(request)
    said = accounts.try_postal(account, now=now)
    price = accounts.price_of_a_letter(account, now=now)
    parts = [_("Le compte répond\u00a0: rien n’a été posté.")]
    if said and said != "fake":
        parts.append(said)
    if price is not None:
        parts.append(
            _("Lettre d’une page\u00a0: %(price)s hors taxes.")
            % {"price": french.money(price, "EUR")}
        )
    notes.success(request, " ".join(parts))


def _try_sms(request: HttpRequest, account: SmsAccount) -> None:
    typed = request.POST.get("phone", "")
    try:
        to = mobile(typed)
    except PhoneError:
        notes.error(
            request, _("«\u00a0%(phone)s\u00a0» n’est pas un numéro de mobile.") % {"phone": typed}
        )
        return
    request.session["trial_phone"] = typed[:40]
    text = _("Essai de Relance\u00a0: vos SMS partent.")
    ref = accounts.try_sms(account, to=to, text=text, now=moment(request))
    said = _("SMS d’essai confié à l’opérateur pour %(to)s.") % {"to": typed}
    notes.success(request, f"{said} {ref}".strip())


@require_POST
def channel_switch(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Let messages leave by this account, or no more."""
    access = enter(request, slug, DunningRole.ADMIN)
    account = _account(access, kind)
    active = request.POST.get("active") == "1"
    try:
        accounts.switch(account, active=active, **_deed(request, access))
    except accounts.AccountError as no:
        words = {
            "NOT_CHECKED": _("Faites d’abord un essai réussi."),
            "NO_SENDER": _(
                "Écrivez d’abord l’adresse de l’entreprise\u00a0: rue, code postal, ville."
            ),
        }
        notes.error(request, words[no.code])
    return redirect("settings_channels", slug)


@require_POST
def channel_remove(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Forget an account and its keys."""
    access = enter(request, slug, DunningRole.ADMIN)
    accounts.forget(_account(access, kind), **_deed(request, access))
    notes.success(request, _("Compte retiré, clés oubliées."))
    return redirect("settings_channels", slug)


def message_proof(request: HttpRequest, slug: str, pk: int, row: int) -> FileResponse:
    """A proof of deposit or a signed receipt, as the provider gave it."""
    access = enter(request, slug)
    message = access.get(Message, pk=pk)
    kept = get_object_or_404(message.tracking.exclude(proof=""), pk=row)
    is_pdf = str(kept.proof.name).endswith(".pdf")
    answer = FileResponse(
        kept.proof.open("rb"), content_type="application/pdf" if is_pdf else "image/jpeg"
    )
    answer.headers["Content-Disposition"] = f'inline; filename="{kept.status}-{message.pk}"'
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@require_POST
def message_take_back(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ask the provider not to post a letter that it holds."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message, now = access.get(Message, pk=pk), moment(request)
    try:
        providers.take_back(message, now=now, follow=tracked.follower(now))
    except providers.TooLateError:
        notes.error(request, _("Trop tard\u00a0: le prestataire ne peut plus l’arrêter."))
    except DeliveryError as error:
        notes.error(
            request,
            _("Le prestataire ne répond pas\u00a0: %(why)s")
            % {"why": channel_words.trouble(error.answer)},
        )
    else:
        notes.success(
            request, _("Demande d’annulation acceptée\u202f; le niveau, lui, ne bouge pas.")
        )
    return redirect("message_detail", slug, pk)


def _called(slug: str, token: str, kind: str) -> Organisation:
    """The organisation of a call back; 404 for whoever does not know its address."""
    organisation = get_object_or_404(Organisation, slug=slug)
    if not accounts.is_call_token(token, organisation.pk, kind):
        raise Http404
    return organisation


@csrf_exempt
@login_not_required
@require_POST
def channel_call_post(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """What the post's provider tells by itself; known events change nothing when told again."""
    organisation = _called(slug, token, "letter")
    account = PostalAccount.objects.filter(
        organisation=organisation, provider=MERCI_FACTEUR
    ).first()
    if account is None:
        raise Http404
    try:
        key = secrets_of(account).get(HOOK_KEY, "")
    except DeliveryError:  # the installation's key has changed: nobody can be believed
        return HttpResponse(status=503)
    given = request.headers.get("X-Mf-Webhook-Secret-Key", "")
    if key and not hmac.compare_digest(key.encode(), given.encode()):
        raise Http404
    try:
        told = read_call({name: str(value) for name, value in request.POST.items()})
    except ValueError:
        return HttpResponse(status=400)
    now = clock.now()
    for one in told:
        message = Message.objects.filter(
            organisation=organisation, provider_ref=one.ref, channel__in=POSTED
        ).first()
        if one.ref and message:
            proofs = [one.proof] if one.proof else []
            follow = tracked.follower(now)
            providers.learn(message, [one.event], proofs, now=now, follow=follow)
    return HttpResponse("ok", content_type="text/plain")


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def channel_call_sms(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """A delivery report, as JSON, as a form or in the address."""
    organisation = _called(slug, token, "sms")
    account = SmsAccount.objects.filter(organisation=organisation, provider=HTTP).first()
    if account is None:
        raise Http404
    now = clock.now()
    try:
        told = generic(account).read_report(_data(request), at=now)
    except DeliveryError:
        return HttpResponse(status=503)
    if told is None:
        return HttpResponse("ok", content_type="text/plain")
    ref, event = told
    message = Message.objects.filter(
        organisation=organisation, provider_ref=ref, channel="sms"
    ).first()
    if message is None:
        return HttpResponse("ok", content_type="text/plain")
    if message.status == Status.SENDING:  # told before we wrote down that it left: tell it again
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    known = message.tracking.filter(
        status=event.status, at__gte=message.handed_at or message.made_at
    )
    if not known.exists():
        providers.learn(message, [event], [], now=now, follow=tracked.follower(now))
    return HttpResponse("ok", content_type="text/plain")


def _data(request: HttpRequest) -> Any:
    if request.content_type == "application/json":
        try:
            return json.loads(request.body[:100_000])
        except ValueError:
            return None
    return request.POST.dict() or request.GET.dict()


urlpatterns = [
    path("parametres/canaux/", settings_channels, name="settings_channels"),
    path("parametres/canaux/<slug:kind>/essai/", channel_test, name="channel_test"),
    path("parametres/canaux/<slug:kind>/marche/", channel_switch, name="channel_switch"),
    path("parametres/canaux/<slug:kind>/retirer/", channel_remove, name="channel_remove"),
    path("messages/<int:pk>/suivi/<int:row>/", message_proof, name="message_proof"),
    path("messages/<int:pk>/reprendre/", message_take_back, name="message_take_back"),
    path("retour/courrier/<slug:token>/", channel_call_post, name="channel_call_post"),
    path("retour/sms/<slug:token>/", channel_call_sms, name="channel_call_sms"),
]

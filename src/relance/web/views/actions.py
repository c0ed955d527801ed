"""The to-do list of relances: read one, send it, ignore it, note that it was done, hand it over."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from email.utils import parseaddr
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages as notes
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, User
from relance.dunning import services
from relance.dunning.models import Action
from relance.dunning.services.undo import cancel_message, unskip_action
from relance.dunning.wording import messages, templating
from relance.formats.amounts import Amount, parse_amount
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.ledger.services import LedgerError
from relance.outbox import mailboxes
from relance.outbox import services as outbox
from relance.outbox.mailboxes import Sender
from relance.outbox.models import Message
from relance.web import channel_words
from relance.web.queries import actions as listing
from relance.web.queries import panel as reading
from relance.web.queries import today as morning
from relance.web.queries import views
from relance.web.queries.paging import page_of
from relance.web.requests import enter, moment, today_of
from relance.web.smtp_words import printed_words
from relance.web.views.answers import done, is_piece, show_panel
from relance.web.views.letters import print_letters


class WordsForm(forms.Form):
    """The message as one wants to change it before it leaves, and from where (S4-06)."""

    sender = forms.CharField(label=gettext_lazy("De"), required=False, widget=forms.Select)
    to = forms.CharField(label=gettext_lazy("À"), max_length=2000)
    subject = forms.CharField(label=gettext_lazy("Objet"), max_length=200)
    body = forms.CharField(
        label=gettext_lazy("Message"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"class": "textarea--message", "rows": 14}),
    )
    copy = forms.BooleanField(label=gettext_lazy("Recevoir une copie"), required=False)

    def __init__(self, *args: Any, senders: Sequence[Sender] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget = cast("forms.Select", self.fields["sender"].widget)
        widget.choices = [(one.key, one.label) for one in senders]

    def clean_subject(self) -> str:
        return self._sound("subject", blocks=False)

    def clean_body(self) -> str:
        return self._sound("body", blocks=True)

    def _sound(self, name: str, *, blocks: bool) -> str:
        text = str(self.cleaned_data[name])
        found = templating.faults(text, blocks_allowed=blocks)
        if found:
            raise forms.ValidationError([fault.message for fault in found])
        return text


def addresses(text: str) -> list[str]:
    """Addresses typed one after the other, separated by commas, semicolons or lines.

    Refused when one of them is none.
    """
    parts = [part.strip() for part in re.split(r"[,;\r\n]", text) if part.strip()]
    for part in parts:
        named = re.fullmatch(r"[^<>]*<([^<>]+)>", part)
        try:
            validate_email(named[1] if named else part)
        except forms.ValidationError as fault:
            raise services.Refused(
                _("L’adresse « %(address)s » n’est pas valable.") % {"address": part}, "BAD_ADDRESS"
            ) from fault
    return parts


def action_list(request: HttpRequest, slug: str) -> HttpResponse:
    """À faire (mine) and Toutes, filtered (S3-02, S3-12, S3-13)."""
    access = enter(request, slug)
    on = today_of(request, access)
    chosen = listing.read(request.GET, access, on)
    page = page_of(chosen.rows, request.GET.get("page"))
    mine = morning.waiting_actions(access).filter(owners=access.user).count()
    address = reverse("action_list", args=[slug])
    tabs = [
        {"url": address, "label": _("À faire"), "count": mine, "current": not chosen.everything},
        {
            "url": f"{address}?vue=toutes",
            "label": _("Toutes"),
            "count": None,
            "current": chosen.everything,
        },
    ]
    first = page.object_list[0] if page.object_list else None
    context = {
        "page": page,
        "chosen": chosen,
        "tools": views.tools(
            request, access, "actions", columns=views.action_columns(), export="actions"
        ),
        "tabs": tabs,
        "today": on,
        "filters": chosen.form,
        "action": first,
        "shown": reading.panel(access, first, on=on) if first else None,
        "can_write": access.can_write,
    }
    return render(request, "actions/list.html", context)


def action_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One action: beside the list, or on a page of its own (phone, no script)."""
    access = enter(request, slug)
    action = access.get(Action, pk=pk)
    return show_panel(request, access, action)


def action_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The same panel with the words as fields; nothing is kept until one sends."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    action = access.get(Action, pk=pk)
    on = today_of(request, access)
    try:
        words = reading.editable_words(access, action, on=on)
    except services.Refused as no:
        return show_panel(request, access, action, refusal=str(no))
    shown = reading.panel(access, action, on=on)
    to = ", ".join(one.email for one in shown.sheet.to) if shown.sheet else ""
    form = WordsForm(
        senders=mailboxes.senders(access.organisation, access.user),
        initial={
            "to": to,
            "subject": words.subject,
            "body": words.body,
            "copy": access.user.receives_copy,
        },
    )
    return show_panel(request, access, action, shown=shown, form=form)


@require_POST
def action_send(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Queue the message of an action; it leaves ten seconds later unless called back."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    action = access.get(Action, pk=pk)
    form = None
    if "body" in request.POST:
        form = WordsForm(request.POST, senders=mailboxes.senders(access.organisation, access.user))
    if form and not form.is_valid():
        return show_panel(request, access, action, form=form)
    try:
        given = {} if request.POST.get("by") == "provider" else _given(request, form, access.user)
        message = services.send_action(
            action,
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
            **given,
        )
    except services.Refused as no:
        action.refresh_from_db()
        return show_panel(request, access, action, refusal=str(no), form=form)
    if form is None and request.POST.get("keep") == "1" and message.recipients:
        _keep_address(request, access, action, message.recipients)
    return done(
        request,
        access,
        action,
        said=_("Message à %(name)s, départ dans") % {"name": action.customer},
        undo=reverse("message_undo", args=[slug, message.pk]),
    )


def _keep_address(
    request: HttpRequest, access: Access, action: Action, recipients: list[str]
) -> None:
    """The address typed for one message becomes the client's (S3-14), who had none to use."""
    address = parseaddr(recipients[0])[1]
    with suppress(LedgerError):  # it leaves all the same; the record stays as it was
        ledger.edit_customer(
            customer=access.get(Customer, pk=action.customer_id),
            changes={"email": address},
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
        )


def _given(request: HttpRequest, form: WordsForm | None, user: User) -> dict[str, Any]:
    """What was typed in place of the template's words and of the customer's addresses.

    Sent as it stands, it is copied to whoever prefers so (D-16).
    """
    if form is None:
        to = addresses(request.POST.get("to", ""))
        return {"recipients": to, "copy_to_me": user.receives_copy}
    data = form.cleaned_data
    return {
        "words": messages.Words(data["subject"], data["body"]),
        "recipients": addresses(data["to"]),
        "copy_to_me": data["copy"],
        "sender_key": data["sender"],
    }


@require_POST
def action_skip(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ignore: the level counts as passed, without a contact."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    action = access.get(Action, pk=pk)
    try:
        services.skip_action(
            action, actor=access.user, on=today_of(request, access), now=moment(request)
        )
    except services.Refused as no:
        action.refresh_from_db()
        return show_panel(request, access, action, refusal=str(no))
    return done(
        request,
        access,
        action,
        said=_("%(name)s : relance ignorée, à reprendre d’ici") % {"name": action.customer},
        undo=reverse("action_unskip", args=[slug, pk]),
    )


@require_POST
def action_unskip(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take back an action ignored by mistake."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    action = access.get(Action, pk=pk)
    try:
        unskip_action(action, actor=access.user, on=today_of(request, access), now=moment(request))
    except services.Refused as no:
        notes.error(request, str(no))
    return back_to(request, slug, pk)


@require_POST
def action_complete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A call, a task, a printed letter: done, with what came of it (D-07)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    action = access.get(Action, pk=pk)
    try:
        services.complete_action(
            action,
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
            note=request.POST.get("note", "").strip()[:4000],
        )
    except services.Refused as no:
        action.refresh_from_db()
        return show_panel(request, access, action, refusal=str(no))
    said = _("%(what)s : %(name)s, c’est noté.") % {
        "what": action.get_channel_display(),
        "name": action.customer,
    }
    return done(request, access, action, said=said)


@require_POST
def action_result(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What came of a call or a task, with the promise or the dispute that was spoken of."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    action = access.get(Action, pk=pk)
    try:
        result = services.Result(request.POST.get("result", ""))
        services.record_result(
            action,
            result,
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
            note=request.POST.get("note", "").strip()[:4000],
            agreed=_agreed(request),
        )
    except (services.Refused, ValueError) as no:
        action.refresh_from_db()
        words = str(no) if isinstance(no, services.Refused) else _("Choisissez un résultat.")
        return show_panel(request, access, action, refusal=words, typed=request.POST)
    said = f"{channel_words.result(result)} : {action.customer}."
    return done(request, access, action, said=said)


def _agreed(request: HttpRequest) -> services.Agreed:
    """The promise or the dispute as typed. Raises Refused for an amount or a date that is none."""
    until, amount = request.POST.get("until", ""), request.POST.get("amount", "").strip()
    chosen = request.POST.get("invoice", "")
    try:
        day = date.fromisoformat(until) if until else None
    except ValueError as fault:
        raise services.Refused(_("Cette date n’existe pas."), "NO_DATE") from fault
    read = parse_amount(amount) if amount else None
    if amount and not (isinstance(read, Amount) and read.cents > 0):
        raise services.Refused(_("Ce montant n’en est pas un."), "NO_AMOUNT")
    return services.Agreed(
        until=day,
        amount_cents=read.cents if isinstance(read, Amount) else None,
        category=request.POST.get("category", "").strip(),
        invoice_ids=[int(chosen)] if chosen.isdecimal() else [],
    )


@require_POST
def action_owners(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """An administrator says who is to do it (S3-11), himself first if he wants to send (D-20)."""
    access = enter(request, slug, DunningRole.ADMIN)
    action = access.get(Action, pk=pk)
    chosen = set(request.POST.getlist("owner"))
    people = [one for one in reading.may_own(access) if str(one.pk) in chosen]
    if request.POST.get("me") and access.user not in people:
        people = [*action.owners.all(), access.user]
    refusal = ""
    try:
        services.change_owners(
            action,
            owners=people,
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
        )
    except services.Refused as no:
        action.refresh_from_db()
        refusal = str(no)
    return show_panel(request, access, action, refusal=refusal)


def action_letter(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The letter to be read, then « Imprimer »; its level waits for the confirmation (D-07)."""
    posted = request.method == "POST"
    access = enter(request, slug, *([DunningRole.ACCOUNT_MANAGER] if posted else []))
    action = access.get(Action, pk=pk)
    refusal = ""
    if posted:
        try:
            message = services.send_action(
                action, actor=access.user, on=today_of(request, access), now=moment(request)
            )
            return print_letters(request, access, [message.pk])
        except services.Refused as no:
            refusal = str(no)
            action.refresh_from_db()
    shown = reading.panel(access, action, on=today_of(request, access))
    context = {"shown": shown, "action": action, "refusal": refusal}
    return render(request, "actions/letter.html", context)


def back_to(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The morning page with that action selected, by htmx or by a plain redirect."""
    url = f"{reverse('today', args=[slug])}?{urlencode({'action': pk})}"
    if is_piece(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


@require_POST
def message_undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Call back a message during its ten seconds; its action waits again."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = access.get(Message, pk=pk, automatic=False)
    return call_back(request, access, message)


def call_back(request: HttpRequest, access: Access, message: Message) -> HttpResponse:
    """Cancel it if it has not begun to leave; otherwise say that it is too late."""
    slug = access.organisation.slug
    try:
        cancel_message(message, reason="CALLED_BACK", actor=access.user, now=moment(request))
    except outbox.PrintedError as held:
        notes.error(request, printed_words(held.run))
        return back_to(request, slug, 0)
    except outbox.StateConflictError:
        notes.error(
            request,
            _("Trop tard : le message à %(name)s est déjà parti.") % {"name": message.customer},
        )
        return back_to(request, slug, 0)
    if message.action_id is None:
        notes.success(request, _("Message annulé : rien n’est parti."))
        return back_to(request, slug, 0)
    return back_to(request, slug, message.action_id)


urlpatterns = [
    path("actions/", action_list, name="action_list"),
    path("actions/<int:pk>/", action_detail, name="action_detail"),
    path("actions/<int:pk>/modifier/", action_edit, name="action_edit"),
    path("actions/<int:pk>/envoyer/", action_send, name="action_send"),
    path("actions/<int:pk>/ignorer/", action_skip, name="action_skip"),
    path("actions/<int:pk>/reprendre/", action_unskip, name="action_unskip"),
    path("actions/<int:pk>/fait/", action_complete, name="action_complete"),
    path("actions/<int:pk>/resultat/", action_result, name="action_result"),
    path("actions/<int:pk>/responsables/", action_owners, name="action_owners"),
    path("actions/<int:pk>/lettre/", action_letter, name="action_letter"),
    path("messages/<int:pk>/annuler/", message_undo, name="message_undo"),
]

"""Envois: what waits, what left, what did not and what to do about it."""

from typing import Any
from urllib.parse import quote

from django.contrib import messages as notes
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.services import Refused
from relance.dunning.services.switch import switch_sending
from relance.dunning.services.undo import cancel_message
from relance.dunning.wording import sheet
from relance.outbox import doors
from relance.outbox import services as outbox
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.mime import attached_name, envelope, left_at
from relance.outbox.models import Message, MessageInvoice, Status
from relance.outbox.settling import settle_uncertain
from relance.web import french
from relance.web.doubt_words import (
    again_words,
    doubt_facts,
    doubt_words,
    handed_words,
    settled_words,
)
from relance.web.queries import outbox as listing
from relance.web.queries import views
from relance.web.queries.tracking import can_take_back, lines_of, was_recalled
from relance.web.requests import enter, moment, today_of
from relance.web.smtp_words import (
    cancelled_words,
    failed_words,
    held_words,
    plain_answer,
    printed_words,
    trouble_words,
)
from relance.web.views.actions import addresses
from relance.web.views.answers import is_piece

CALLABLE = [Status.QUEUED, Status.RETRYING, Status.DRAFT, Status.TO_APPROVE]


def outbox_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The messages of one state, those that need a person first."""
    access = enter(request, slug)
    chosen = listing.read(request.GET, access)
    address = reverse("outbox_list", args=[slug])
    context: dict[str, Any] = {
        "today": today_of(request, access),
        "chosen": chosen,
        "tools": views.tools(
            request, access, "envois", columns=views.message_columns(), export="envois"
        ),
        "filters": chosen.form,
        "tabs": [
            {
                "url": f"{address}?etat={tab.key}",
                "label": tab.label,
                "count": None if tab.key == "partis" else chosen.counts[tab.key],
                "current": tab.key == chosen.tab.key,
            }
            for tab in listing.TABS
        ],
        "rows": [{"message": one, "why": _why(one)} for one in chosen.rows],
        "sending_on": access.organisation.sending_on,
        "is_admin": access.is_admin,
    }
    if chosen.rows:
        context |= _about(access, chosen.rows[0])
    return render(request, "outbox/list.html", context)


def _why(message: Message) -> str:
    """The fact of a line: where it went, why it did not, when it will be tried again."""
    if message.status in (Status.CANCELLED, Status.EXPIRED):
        return cancelled_words(message.reason)
    if message.status == Status.UNCERTAIN:
        return handed_words(message)
    if message.status in (Status.FAILED, Status.BOUNCED):
        return trouble_words(message)
    if message.status == Status.RETRYING and message.error:
        return _("Nouvel essai : %(why)s") % {"why": trouble_words(message)}
    if held := held_words(message):
        return held
    if was_recalled(message):
        return _("Annulé chez le prestataire")
    if message.letter:
        return ", ".join(message.letter["to"][1:])
    return ", ".join(message.recipients)


def message_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One message as it was sent, or as it will be."""
    access = enter(request, slug)
    return _show(request, access, access.get(Message, pk=pk))


def _show(
    request: HttpRequest, access: Access, message: Message, *, refusal: str = ""
) -> HttpResponse:
    context = _about(access, message) | {
        "today": today_of(request, access),
        "refusal": refusal,
        "open": True,
    }
    piece = is_piece(request)
    return render(request, "outbox/_message.html" if piece else "outbox/message.html", context)


def _about(access: Access, message: Message) -> dict[str, Any]:
    """One message for its panel: headers, text, invoices, every attempt and what can be done."""
    lines = list(
        MessageInvoice.objects.filter(message=message).select_related("invoice").order_by("id")
    )
    tries = [
        {"row": one, "plain": plain_answer(one.code, one.answer) if one.answer else ""}
        for one in message.tries.order_by("at", "id")
    ]
    return {
        "message": message,
        "customer": message.customer,
        "body": sheet.fragment(message.html),
        "lines": lines,
        "attachments": [
            *(
                attached_name(line.invoice.number, line.invoice.document.name or "")
                for line in lines
                if line.invoice.document and not message.by_link
            ),
            *message.files.values_list("name", flat=True),
        ],
        "tries": tries,
        "refusals": list(message.refusals.order_by("pk")),
        "answers": list(message.answers.filter(kind="reply").defer("text").order_by("pk")[:5]),
        "can_write": access.can_write,
        "tracking": lines_of(message),
        "recalled": was_recalled(message),
        "can_take_back": can_take_back(message),
        "why": _why(message),
        "plain": failed_words(message),
        "held": held_words(message),
        "is_waiting": message.status in CALLABLE,
        "printed": printed_words(message.print_run)
        if message.print_run and message.status in CALLABLE
        else "",
        "is_failed": message.status in (Status.FAILED, Status.BOUNCED),
        "is_uncertain": message.status == Status.UNCERTAIN,
        "doubt": doubt_words(message) if message.status == Status.UNCERTAIN else "",
        "again": again_words(message, clock.now()) if message.status == Status.UNCERTAIN else "",
        "doubt_facts": doubt_facts(message) if message.status == Status.UNCERTAIN else [],
        "is_cancelled": message.status in (Status.CANCELLED, Status.EXPIRED),
        "is_sent": message.status == Status.SENT,
        "link": _link(message),
    }


def _link(message: Message) -> dict[str, Any] | None:
    """The page of its invoices that the debtor may open; None when nobody was given one."""
    if message.customer_id is None or message.status in doors.SHUT:
        return None
    return {
        "url": doors.link_of(message),
        "ends": doors.ends_at(message),
        "closed": message.link_closed_at,
    }


def _after(request: HttpRequest, access: Access, message: Message, said: str) -> HttpResponse:
    """The message as it is now, with what was done said above the list."""
    if is_piece(request):
        return _show(request, access, access.get(Message, pk=message.pk))
    notes.success(request, said)
    return redirect("message_detail", access.organisation.slug, message.pk)


@require_POST
def message_retry(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Try a failed message again, to other addresses when some were typed."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = access.get(Message, pk=pk)
    try:
        typed = request.POST.get("to", "") if message.channel == "email" else ""
        to = addresses(typed) or list(message.recipients)
        with transaction.atomic():
            outbox.retry(message=message, now=moment(request))
            if to != list(message.recipients):
                outbox.edit(
                    message=message,
                    subject=message.subject,
                    text=message.text,
                    html=message.html,
                    recipients=to,
                    copies=message.copies,
                )
    except outbox.StepAlreadyQueuedError:
        refusal = _("Cette étape a déjà été écrite à nouveau : l’autre message la remplace.")
        return _show(request, access, access.get(Message, pk=pk), refusal=refusal)
    except outbox.StateConflictError as conflict:
        return _show(request, access, message, refusal=conflict_words(conflict))
    except Refused as no:
        return _show(request, access, message, refusal=str(no))
    return _after(request, access, message, _("Le message est de nouveau en file."))


@require_POST
def message_settle(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """An uncertain message: a person knows whether it left."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = access.get(Message, pk=pk)
    sent, seen = request.POST.get("sent") == "1", request.POST.get("essais", "")
    try:
        settle_uncertain(
            message=message,
            sent=sent,
            actor=access.user,
            now=moment(request),
            seen=int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 6 else None,
        )
    except outbox.StateConflictError as conflict:
        refusal = settled_words(message) or conflict_words(conflict)
        return _show(request, access, message, refusal=refusal)
    said = _("C’est noté : il est parti.") if sent else _("Le message repart.")
    return _after(request, access, message, said)


@require_POST
def message_link(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Close the debtor's page of a message's invoices, or open the same link again."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = access.get(Message, pk=pk)
    opening = request.POST.get("open") == "1"
    verb = doors.reopen if opening else doors.close
    verb(message=message, actor=access.user, on=today_of(request, access), now=moment(request))
    said = _("Le lien montre de nouveau les factures.") if opening else _("Le lien est fermé.")
    return _after(request, access, message, said)


@require_POST
def message_cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Keep back a message that waits in the queue."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = access.get(Message, pk=pk)
    try:
        cancel_message(message, reason="BY_HAND", actor=access.user, now=moment(request))
    except outbox.StateConflictError as conflict:
        return _show(request, access, message, refusal=conflict_words(conflict))
    said = _("Le message est annulé : rien n’est parti.")
    if message.automatic and message.purpose == Message.Purpose.STEP:
        said += " " + _("Son niveau compte comme passé : il ne sera pas écrit de nouveau.")
    return _after(request, access, message, said)


def conflict_words(conflict: outbox.StateConflictError) -> str:
    """Somebody or the worker was faster."""
    if isinstance(conflict, outbox.PrintedError):
        return printed_words(conflict.run)
    state = Status(conflict.status).label.lower()
    return _("Trop tard : entre-temps, ce message est passé à l’état « %(state)s ».") % {
        "state": state
    }


def message_eml(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The message as a file that any mail program opens."""
    access = enter(request, slug)
    message = access.get(Message, pk=pk)
    try:
        data = envelope(message, at=left_at(message)).data
    except DeliveryError as fault:
        raise Http404 from fault
    about = message.customer or message.organisation
    name = quote(f"{message.on.isoformat()} {about}.eml", safe="")
    return HttpResponse(
        data,
        content_type="message/rfc822",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )


@require_POST
def sending_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Suspend or resume what leaves by itself: administrators only."""
    access = enter(request, slug, DunningRole.ADMIN)
    sending_on = request.POST.get("sending") == "on"
    switch_sending(
        access.organisation,
        sending_on=sending_on,
        actor=access.user,
        on=today_of(request, access),
        now=moment(request),
    )
    if sending_on:
        notes.success(request, _("Les envois automatiques reprennent au prochain départ."))
    else:
        waiting = listing.counts(access)["file"]
        words = ngettext(
            "Envois suspendus. %(n)s message en file ne partira pas.",
            "Envois suspendus. %(n)s messages en file ne partiront pas.",
            waiting,
        )
        said = words % {"n": french.number(waiting)} if waiting else _("Envois suspendus.")
        notes.warning(request, said)
    return redirect("outbox_list", slug)


urlpatterns = [
    path("envois/", outbox_list, name="outbox_list"),
    path("envois/interrupteur/", sending_switch, name="sending_switch"),
    path("messages/<int:pk>/", message_detail, name="message_detail"),
    path("messages/<int:pk>/message.eml", message_eml, name="message_eml"),
    path("messages/<int:pk>/reessayer/", message_retry, name="message_retry"),
    path("messages/<int:pk>/trancher/", message_settle, name="message_settle"),
    path("messages/<int:pk>/lien/", message_link, name="message_link"),
    path("messages/<int:pk>/retenir/", message_cancel, name="message_cancel"),
]

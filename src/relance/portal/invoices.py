"""The invoices of one message, for the debtor who holds its link: what is due, how to pay it.

Nothing is written down when somebody reads here, and nothing is fetched from elsewhere (B1).
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet, Sum
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts import clock, throttle
from relance.accounts.models import Organisation
from relance.outbox import doors
from relance.outbox.channels.email.mime import attached_name
from relance.outbox.models import Message, MessageInvoice
from relance.portal.entry import MISSES, closed, misses_of, sorry, without_login

PAGE = 50
SEALED = "default-src 'none'; sandbox"
MOST_NUMBERS = 3
"""More invoices than that are told of by the customer's code in the reference of a transfer."""

Shown = Callable[..., HttpResponseBase]


class Told(NamedTuple):
    """An invoice of the message as it stands today; `state` is paid, dispute, partial, due or
    late, `left_cents` what is still owed of it and `days` calendar days since its due date."""

    row: MessageInvoice
    state: str
    left_cents: int
    days: int


def _behind_the_link(page: Shown) -> Shown:
    """`page(request, message, now, …)` in the customer's language; one calm 404 for the rest."""

    def enter(request: HttpRequest, token: str, more: dict[str, Any]) -> HttpResponseBase:
        if throttle.is_over(misses_of(request), MISSES):
            return sorry(request, "tries", 429, _("Vos factures"))
        now: datetime = request.now  # type: ignore[attr-defined]
        message = doors.message_of(token, now=now)
        if message is None:
            throttle.tried(misses_of(request), MISSES)
            return closed(request, _("Vos factures"))
        with (
            override(message.debtor.language),
            timezone.override(message.organisation.timezone),
        ):
            return page(request, message, now, token=token, **more)

    return without_login(page, enter, ["GET", "HEAD"])


@_behind_the_link
def statement(request: HttpRequest, message: Message, now: datetime, token: str) -> HttpResponse:
    """What is asked and by whom, each invoice as it stands today, and how to pay."""
    organisation = message.organisation
    today = clock.local_date(organisation, now)
    rows = _lines(message)
    open_rows = rows.filter(invoice__balance_cents__gt=0)
    sums = rows.aggregate(
        told=Sum("amount_cents", default=0),
        left=Sum("invoice__balance_cents", filter=Q(invoice__balance_cents__gt=0), default=0),
    )
    count, left_count = rows.count(), open_rows.count()
    pages = max(1, -(-count // PAGE))
    page = _page(request.GET.get("page", ""), pages)
    context = {
        "token": token,
        "asker": organisation.name,
        "address": [line.strip() for line in organisation.address.splitlines() if line.strip()],
        "message": message,
        "sent_on": clock.local_date(organisation, message.sent_at or message.not_before),
        "customer": message.debtor,
        "today": today,
        "rows": [_told(row, today) for row in rows[(page - 1) * PAGE : page * PAGE]],
        "count": count,
        "left_count": left_count,
        "left_cents": sums["left"],
        "told_cents": sums["told"],
        "page": page,
        "pages": pages,
        "expires": doors.ends_at(message),
        "answer_to": message.reply_to or message.sender,
        "pay": _pay(organisation, message, open_rows, left_count) if sums["left"] else None,
    }
    return render(request, "portal/invoices.html", context)


@_behind_the_link
def document(
    request: HttpRequest, message: Message, now: datetime, token: str, pk: int
) -> HttpResponseBase:
    """The file of one invoice of the message: always saved, never shown within our pages."""
    row = _lines(message).filter(invoice_id=pk).first()
    if row is None:
        return closed(request, _("Vos factures"))
    kept = row.invoice.document
    try:
        if not kept:
            raise Http404
        file = kept.open("rb")
    except (Http404, OSError, ValueError):
        return sorry(request, "file", 404, _("Vos factures"))
    answer = FileResponse(
        file,
        as_attachment=True,
        filename=attached_name(row.invoice.number, kept.name or ""),
        content_type="application/octet-stream",
    )
    answer.headers["Content-Security-Policy"] = SEALED
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _lines(message: Message) -> QuerySet[MessageInvoice]:
    """The invoices of this message alone, the oldest due first."""
    return (
        MessageInvoice.objects.filter(
            message=message,
            organisation_id=message.organisation_id,
            invoice__customer_id=message.debtor_id,
        )
        .select_related("invoice")
        .order_by("invoice__due", "id")
    )


def _page(asked: str, pages: int) -> int:
    return min(max(int(asked), 1), pages) if asked.isascii() and asked.isdecimal() else 1


def _told(row: MessageInvoice, today: date) -> Told:
    left = max(row.invoice.balance_cents, 0)
    days = (today - row.invoice.due).days
    if not left:
        state = "paid"
    elif row.invoice.disputed:
        state = "dispute"
    elif left < row.amount_cents:
        state = "partial"
    else:
        state = "late" if days > 0 else "due"
    return Told(row, state, left, days)


def _pay(
    organisation: Organisation, message: Message, rows: QuerySet[MessageInvoice], count: int
) -> dict[str, str] | None:
    """IBAN, BIC and reference of a transfer; None when there is none to tell.

    After an opening judgment nothing owed before it may be asked for (code de commerce
    L622-7): the page then tells the state of the invoices and asks for no payment.
    """
    if not organisation.iban or message.debtor.judgment_on is not None:
        return None
    bare = organisation.iban.replace(" ", "")
    reference = message.debtor.code
    if count <= MOST_NUMBERS:
        reference = " ".join(row.invoice.number for row in rows)
    return {
        "iban": " ".join(bare[place : place + 4] for place in range(0, len(bare), 4)),
        "bare": bare,
        "bic": organisation.bic,
        "reference": reference,
    }

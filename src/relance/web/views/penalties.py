"""Legal amounts: what each late client owes besides the principal, and its statement as a PDF."""

from datetime import date
from typing import Any

from django.contrib import messages as notes
from django.core.paginator import Page
from django.db.models import Min, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.facts import legal
from relance.dunning.wording import interest_statement
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Regime
from relance.ledger.services import LedgerError
from relance.web.queries import penalties as reading
from relance.web.queries.paging import page_of
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.customers_forms import day_or_none


@require_GET
def penalty_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every client who is late, the oldest delay first, with what the law adds to his debt."""
    access = enter(request, slug)
    today = today_of(request, access)
    late = (
        access.all(Customer)
        .filter(invoices__balance_cents__gt=0, invoices__due__lt=today)
        .annotate(first=Min("invoices__due"), late=Sum("invoices__balance_cents"))
        .order_by("first", "pk")
    )
    page: Page[Any] = page_of(late, request.GET.get("page", "1"))
    found = legal.statements(access.organisation, [one.pk for one in page.object_list], on=today)
    rows = [reading.row(one, found[one.pk]) for one in page.object_list]
    context = {"access": access, "today": today, "page": page, "rows": rows}
    return render(request, "penalties/list.html", context | reading.rates_shown(today))


@require_GET
def customer_penalties(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The statement of one client on a day chosen (`au`), also of what was paid late (`payees`)."""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    today, on, paid_late = today_of(request, access), _day(request, access), _paid_late(request)
    context = {
        "access": access,
        "customer": customer,
        "today": today,
        "on": on,
        "paid_late": paid_late,
        "shown": reading.shown(access, customer, on=on, paid_late=paid_late),
        "consumer": customer.regime == Regime.CONSUMER,
        "query": f"?au={on.isoformat()}" + ("&payees=1" if paid_late else ""),
    }
    return render(request, "penalties/detail.html", context)


@require_GET
def customer_penalties_pdf(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The same statement as a PDF; without a rate or an invoice, back to the page that says so."""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    on = _day(request, access)
    statement = legal.statement(
        access.organisation, customer.pk, on=on, paid_late=_paid_late(request)
    )
    back = reverse("customer_penalties", args=[slug, pk]) + f"?au={on.isoformat()}"
    if not statement.lines or statement.missing:
        return redirect(back)
    pdf = interest_statement.pdf(access.organisation, customer, statement, at=moment(request))
    name = f"penalites-{slugify(customer.name)[:60] or customer.pk}-{on.isoformat()}.pdf"
    return HttpResponse(
        pdf,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


@require_POST
def customer_notice(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A mise en demeure was received that day: a consumer's interest starts there (A8)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    customer = access.get(Customer, pk=pk)
    typed = request.POST.get("le", "")
    received_on = day_or_none(typed)
    try:
        if typed and received_on is None:
            raise LedgerError(_("Indiquez une date."))
        ledger.record_notice(
            customer=customer,
            received_on=received_on,
            on=today_of(request, access),
            now=moment(request),
            actor=user_of(request),
        )
    except LedgerError as refused:
        notes.error(request, str(refused))
    else:
        notes.success(request, _("La date de réception est notée."))
    return redirect("customer_penalties", slug, pk)


def _day(request: HttpRequest, access: Access) -> date:
    return day_or_none(request.GET.get("au", "")) or today_of(request, access)


def _paid_late(request: HttpRequest) -> bool:
    return request.GET.get("payees") == "1"


urlpatterns = [
    path("penalites/", penalty_list, name="penalty_list"),
    path("clients/<int:pk>/penalites/", customer_penalties, name="customer_penalties"),
    path("clients/<int:pk>/penalites.pdf", customer_penalties_pdf, name="customer_penalties_pdf"),
    path("clients/<int:pk>/mise-en-demeure/", customer_notice, name="customer_notice"),
]

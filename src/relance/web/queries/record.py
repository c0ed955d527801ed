"""What the page of one customer shows of his ledger: figures, invoices, credits, counts."""

from datetime import date, timedelta
from typing import Any, NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import Avg, DurationField, ExpressionWrapper, F, Q, Sum
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.dunning.facts.gather import rules_of
from relance.dunning.models import Step
from relance.dunning.queries import Look
from relance.engine import deeds
from relance.ledger.models import Credit, Customer, Invoice, Payment
from relance.web.queries.invoices import state_of

PAGE = 50
PAYS_OVER_DAYS = 730


class Sums(NamedTuple):
    """Cents in one currency: what is owed less unapplied credits, and what of it is late."""

    currency: str
    net: int
    overdue: int


class Line(NamedTuple):
    """One invoice; `fixed` says why its level cannot be changed here, "" when it can."""

    invoice: Invoice
    days: int
    level: int
    level_name: str
    state: str
    last_on: date | None
    carrier: bool
    fixed: str


class Record(NamedTuple):
    """Everything of the tab Factures; `pays_in` days from invoice to payment, on average."""

    sums: list[Sums]
    pays_in: int | None
    page: Page[Any]
    lines: list[Line]
    unapplied: list[Any]
    steps: list[Step]
    settled: int


def sums(access: Access, customer: Customer, today: date) -> list[Sums]:
    """Per currency, EUR first."""
    owed = (
        Invoice.objects.filter(customer=customer, balance_cents__gt=0)
        .values_list("currency")
        .annotate(all=Sum("balance_cents"), late=Sum("balance_cents", filter=Q(due__lt=today)))
        .order_by()
    )
    unapplied = dict(
        access.all(Credit)
        .filter(customer=customer)
        .exclude(left_cents=0)
        .values_list("currency")
        .annotate(Sum("left_cents"))
        .order_by()
    )
    found = {code: (int(whole), int(late or 0)) for code, whole, late in owed}
    codes = sorted(found.keys() | unapplied.keys(), key=lambda code: (code != "EUR", code))
    return [
        Sums(
            code,
            found.get(code, (0, 0))[0] - int(unapplied.get(code, 0)),
            found.get(code, (0, 0))[1],
        )
        for code in codes
    ]


def pays_in(access: Access, customer: Customer, today: date) -> int | None:
    """Days from the date of an invoice to the money received, on average over two years."""
    wait = ExpressionWrapper(F("on") - F("invoice__issued"), output_field=DurationField())
    mean = (
        access.all(Payment)
        .filter(
            invoice__customer=customer,
            credit__isnull=True,
            amount_cents__gt=0,
            on__gte=today - timedelta(days=PAYS_OVER_DAYS),
        )
        .aggregate(mean=Avg(wait))["mean"]
    )
    return round(mean / timedelta(days=1)) if mean is not None else None


def record(
    access: Access, customer: Customer, look: Look, *, today: date, page: str, settled: bool
) -> Record:
    """The open invoices by due date (all of them with `settled`), credits and figures."""
    # By customer alone: his own index answers, however large the dossier.
    paid = Invoice.objects.filter(customer=customer, balance_cents__lte=0).count()
    found = Invoice.objects.filter(customer=customer).select_related("chase", "site")
    found = (
        found.order_by("-due", "-id")
        if settled
        else found.filter(balance_cents__gt=0).order_by("due", "id")
    )
    shown = Paginator(found, PAGE).get_page(page)
    plan = look.now.case.plan
    steps = (
        list(access.all(Step).filter(plan_id=plan.id).order_by("level")) if plan is not None else []
    )
    carried = deeds.carried(look.now.case, today, rules_of(access.organisation))
    carriers: dict[Any, str] = {one.id: one.number for one in carried}
    lines = [_line(one, today, look, carriers) for one in shown.object_list]
    return Record(
        sums(access, customer, today),
        pays_in(access, customer, today),
        shown,
        lines,
        list(_credits(access, customer)),
        steps,
        paid,
    )


def _credits(access: Access, customer: Customer) -> Any:
    """Credits not wholly applied, with `negative`: what is left of them, below zero."""
    found = access.all(Credit).filter(customer=customer).exclude(left_cents=0)
    return found.annotate(negative=F("left_cents") * -1).order_by("on", "id")[:PAGE]


def _line(invoice: Invoice, today: date, look: Look, carriers: dict[Any, str]) -> Line:
    chase = getattr(invoice, "chase", None)
    return Line(
        invoice,
        (today - invoice.due).days,
        chase.level if chase else 0,
        chase.level_name if chase else "",
        state_of(invoice, today),
        chase.last_on if chase else None,
        invoice.pk in carriers,
        fixed_because(invoice, look, carriers),
    )


def fixed_because(invoice: Invoice, look: Look, carriers: dict[Any, str]) -> str:
    """Why the pencil is not offered on this invoice; "" when it is (S1-18)."""
    plan = look.now.case.plan
    if plan is None or not plan.steps:
        return _("Sans plan de relance, il n’y a pas de niveau\u00a0: assignez un plan.")
    if invoice.balance_cents <= 0:
        return _("Cette facture est réglée.")
    if plan.scope == "customer" and not carriers:
        return _(
            "Le plan suit le client et ne relance aucune de ses factures\u00a0: "
            "elles n’ont pas de niveau à changer."
        )
    if plan.scope == "customer" and invoice.pk not in carriers:
        return _(
            "Le plan suit le client\u00a0: le niveau se change sur %(number)s, la facture porteuse."
        ) % {"number": next(iter(carriers.values()))}
    return ""

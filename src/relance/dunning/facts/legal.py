"""What late customers owe besides the principal: the ledger's rows as claims of `engine.late_fees`.

A few queries for any number of customers. Amounts are cents, dates local. Every credit applied
lowers its invoice from the start (A4: the reading that favours the debtor), because the ledger
does not know a correction from a gesture; money counts from the day it came.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from django.db.models import Exists, F, Min, OuterRef, Q, Sum

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.dunning.facts.rates import published
from relance.engine.late_fees import (
    BUSINESS_POINTS,
    FLOOR_TIMES,
    PUBLIC_POINTS,
    Claim,
    MissingRate,
    Owed,
    Rates,
    Semester,
    owed,
    semester_of,
    sum_of,
)
from relance.ledger.models import Credit, Customer, Invoice, Payment, Regime
from relance.outbox.models import MessageInvoice, Status

RECEIVED = "delivered"
"""Status of `outbox.Tracking` on the day on which a registered letter was received."""


class Line(NamedTuple):
    """One invoice and what it has come to; `paid` are the cents of money received until the day."""

    invoice: int
    number: str
    issued: date
    due: date
    due_estimated: bool
    disputed: bool
    currency: str
    total: int
    paid: int
    credited: int
    noticed_on: date | None
    owed: Owed | MissingRate

    @property
    def floored(self) -> bool:
        """The contract's rate was below three times the legal rate, and replaced by it."""
        return isinstance(self.owed, Owed) and any(piece.floored for piece in self.owed.pieces)


class Statement(NamedTuple):
    """The lines of one customer on one day, oldest due date first.

    `unapplied` are cents of credits not applied to any invoice, by currency; `contract_rate` is
    the seller's own yearly percentage, None when the rate of the law holds.
    """

    customer: int
    on: date
    regime: str
    contract_rate: Fraction | None
    interest_first: bool
    judgment_on: date | None
    lines: tuple[Line, ...]
    unapplied: Mapping[str, int]

    @property
    def missing(self) -> MissingRate | None:
        """The first rate that is not known; then there is no total, never a wrong one."""
        found = (line.owed for line in self.lines if isinstance(line.owed, MissingRate))
        return next(found, None)

    @property
    def currencies(self) -> tuple[str, ...]:
        """Those of the lines, in alphabetical order."""
        return tuple(sorted({line.currency for line in self.lines}))

    def total(self, currency: str = "EUR") -> Owed | MissingRate:
        """The lines of one currency added up, each rounded before; `unapplied` is not taken off."""
        mine = [line.owed for line in self.lines if line.currency == currency]
        counted: list[Owed] = []
        for one in mine:
            if isinstance(one, MissingRate):
                return one
            counted.append(one)
        return sum_of(counted)

    @property
    def why_none(self) -> str:
        """The code for which nothing but the principal is asked of any line, or an empty string."""
        codes = {line.owed.why_none for line in self.lines if isinstance(line.owed, Owed)}
        return codes.pop() if len(codes) == 1 and self.missing is None else ""


def statements(
    organisation: Organisation,
    customer_ids: Collection[int],
    *,
    on: date,
    invoice_ids: Collection[int] | None = None,
    paid_late: bool = False,
    rates: Rates | None = None,
) -> dict[int, Statement]:
    """A statement for each customer, of the invoices overdue and not settled on local day `on`.

    With `paid_late`, also of those that were settled after their due date: their interest and
    their 40 € stay due (A2). `invoice_ids` names the invoices instead, in whatever state they are.
    Five queries at most, however many customers. A line without a known rate says which one.
    """
    rates = published() if rates is None else rates
    customers = list(
        Customer.objects.filter(organisation=organisation, pk__in=customer_ids).values_list(
            "pk", "regime", "judgment_on"
        )
    )
    found = _invoices(organisation, [key for key, *_rest in customers], on, invoice_ids, paid_late)
    ids = [invoice.pk for mine in found.values() for invoice in mine]
    money, credited = _payments(organisation, ids, on)
    consumers = any(regime == Regime.CONSUMER for _key, regime, _day in customers)
    letters = _received(organisation, ids) if consumers else {}
    unapplied = _unapplied(organisation, customer_ids)
    percent = contract_rate(organisation)
    made: dict[int, Statement] = {}
    for key, regime, judgment_on in customers:
        lines = []
        for one in found.get(key, ()):
            noticed_on = min(filter(None, (one.noticed_on, letters.get(one.pk))), default=None)
            claim = Claim(
                total=one.total_cents,
                issued=one.issued,
                due=one.due,
                regime=regime,
                payments=money.get(one.pk, ()),
                corrections=credited.get(one.pk, 0),
                contract_rate=percent,
                notice_on=noticed_on,
                judgment_on=judgment_on,
                interest_first=organisation.interest_first,
                currency=one.currency,
            )
            lines.append(_line(one, claim, noticed_on, owed(claim, on, rates)))
        made[key] = Statement(
            key,
            on,
            regime,
            percent if regime == Regime.BUSINESS else None,
            organisation.interest_first,
            judgment_on,
            tuple(lines),
            unapplied.get(key, {}),
        )
    return made


def statement(
    organisation: Organisation,
    customer_id: int,
    *,
    on: date,
    invoice_ids: Collection[int] | None = None,
    paid_late: bool = False,
) -> Statement:
    """That of one customer, as `statements` says."""
    found = statements(
        organisation, [customer_id], on=on, invoice_ids=invoice_ids, paid_late=paid_late
    )
    return found[customer_id]


def contract_rate(organisation: Organisation) -> Fraction | None:
    """The yearly percentage of the organisation's terms of sale; None when it has none."""
    points = organisation.contract_rate_bp
    return None if points is None else Fraction(points, 100)


def known_until(rates: Rates | None = None) -> dict[str, Semester]:
    """The last semester whose rate is known, by kind: refi and legal."""
    rates = published() if rates is None else rates
    return {"refi": max(rates.refi), "legal": max(rates.legal)}


def missing_now(on: date, rates: Rates | None = None) -> list[MissingRate]:
    """The rates of the present semester that are not known: nothing is counted with another's."""
    rates = published() if rates is None else rates
    semester = semester_of(on)
    return [
        MissingRate(semester, kind)
        for kind, known in (("refi", rates.refi), ("legal", rates.legal))
        if semester not in known
    ]


def rate_today(
    organisation: Organisation, regime: str, on: date, rates: Rates | None = None
) -> Fraction | MissingRate | None:
    """The yearly percentage for days of this semester; None for a regime that pays none."""
    rates = published() if rates is None else rates
    semester, percent = semester_of(on), contract_rate(organisation)
    refi, legal = rates.refi.get(semester), rates.legal.get(semester)
    if regime == Regime.CONSUMER:
        return MissingRate(semester, "legal") if legal is None else legal
    if regime == Regime.BUSINESS and percent is not None:
        if legal is None:
            return MissingRate(semester, "legal")
        return max(percent, FLOOR_TIMES * legal)
    if regime not in (Regime.BUSINESS, Regime.PUBLIC):
        return None
    if refi is None:
        return MissingRate(semester, "refi")
    return refi + (PUBLIC_POINTS if regime == Regime.PUBLIC else BUSINESS_POINTS)


def _line(one: Invoice, claim: Claim, noticed_on: date | None, answer: Owed | MissingRate) -> Line:
    return Line(
        one.pk,
        one.number,
        one.issued,
        one.due,
        one.due_estimated,
        one.disputed,
        one.currency,
        one.total_cents,
        sum(cents for _day, cents in claim.payments),
        claim.corrections,
        noticed_on,
        answer,
    )


def _invoices(
    organisation: Organisation,
    customer_ids: Collection[int],
    on: date,
    invoice_ids: Collection[int] | None,
    paid_late: bool,
) -> dict[int, list[Invoice]]:
    rows = Invoice.objects.filter(organisation=organisation, customer_id__in=customer_ids)
    if invoice_ids is not None:
        rows = rows.filter(pk__in=invoice_ids)
    else:
        later = Payment.objects.filter(invoice=OuterRef("pk"), on__gt=on)
        wanted = Q(balance_cents__gt=0) | Q(Exists(later))
        if paid_late:
            late = Payment.objects.filter(invoice=OuterRef("pk"), on__gt=F("invoice__due"))
            wanted |= Q(Exists(late.filter(credit=None)))
        rows = rows.filter(wanted, due__lt=on, issued__lte=on)
    found: dict[int, list[Invoice]] = defaultdict(list)
    for one in rows.order_by("due", "number").only(
        "customer_id", "number", "issued", "due", "due_estimated", "disputed", "currency",
        "total_cents", "noticed_on",
    ):  # fmt: skip
        found[one.customer_id].append(one)
    return found


def _payments(
    organisation: Organisation, invoice_ids: Collection[int], on: date
) -> tuple[dict[int, list[tuple[date, int]]], dict[int, int]]:
    """(day, cents) of the money of each invoice, and the cents of credits applied, until `on`."""
    money: dict[int, list[tuple[date, int]]] = defaultdict(list)
    credited: dict[int, int] = defaultdict(int)
    rows = Payment.objects.filter(
        organisation=organisation, invoice_id__in=invoice_ids, on__lte=on
    ).order_by("on", "id")
    for invoice, credit, day, cents in rows.values_list(
        "invoice_id", "credit_id", "on", "amount_cents"
    ):
        if credit is None:
            money[invoice].append((day, cents))
        else:
            credited[invoice] += cents
    return money, credited


def _received(organisation: Organisation, invoice_ids: Collection[int]) -> dict[int, date]:
    """The local day on which a registered letter about each invoice was received, as posted."""
    rows = (
        MessageInvoice.objects.filter(
            organisation=organisation,
            invoice_id__in=invoice_ids,
            message__channel="registered_letter",
            message__status=Status.SENT,
            message__tracking__status=RECEIVED,
        )
        .values_list("invoice_id")
        .annotate(at=Min("message__tracking__at"))
    )
    return {invoice: clock.local_date(organisation, at) for invoice, at in rows}


def _unapplied(
    organisation: Organisation, customer_ids: Collection[int]
) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    rows = (
        Credit.objects.filter(organisation=organisation, customer_id__in=customer_ids)
        .exclude(left_cents=0)
        .values_list("customer_id", "currency")
        .annotate(Sum("left_cents"))
    )
    for customer, currency, cents in rows:
        found[customer][currency] = cents
    return found

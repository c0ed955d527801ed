"""Who may be chased at all: each invoice (3.1), the customer, then each currency (3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from relance.engine.model import Case, Invoice, Reason, Rules


class Sorted(NamedTuple):
    """The invoices of a customer sorted by what may be done about them."""

    chaseable: list[Invoice]
    reasons: list[Reason]
    open_count: int


def invoice_refusal(invoice: Invoice, on: date, judgment_on: date | None, rules: Rules) -> Reason | None:
    """The first reason, in the order of section 5, why this invoice is not chaseable on a date (S2-12, S4-32)."""
    (id_, _, issued, _, _, balance, currency, mode, plan_on, disputed, promise_until, hold_until) = invoice
    if issued > on:
        return Reason("NOT_ISSUED", {"issued": issued}, None, id_)
    if balance <= 0 or balance < rules.tolerance:
        return Reason("SETTLED", {"balance": balance, "currency": currency, "tolerance": rules.tolerance}, None, id_)
    if not plan_on:
        return Reason("PLAN_OFF", {}, None, id_)
    if disputed:
        return Reason("DISPUTED", {}, None, id_)
    if promise_until is not None and promise_until >= on:
        return Reason("PROMISED", {"until": promise_until}, promise_until, id_)
    if hold_until is not None and hold_until >= on:
        return Reason("INVOICE_ON_HOLD", {"until": hold_until}, hold_until, id_)
    if mode in rules.by_hand_modes:
        return Reason("BY_HAND_MODE", {"mode": mode}, None, id_)
    if judgment_on is not None and judgment_on <= on and issued < judgment_on:
        return Reason("BEFORE_JUDGMENT", {"judgment_on": judgment_on, "issued": issued}, None, id_)
    return None


def sort_out(case: Case, on: date, rules: Rules) -> Sorted:
    """Chaseable invoices, the reasons of the others, and how many are open (issued and not settled)."""
    judgment_on = case.judgment_on
    chaseable: list[Invoice] = []
    reasons: list[Reason] = []
    shut = 0
    for invoice in case.invoices:
        refusal = invoice_refusal(invoice, on, judgment_on, rules)
        if refusal is None:
            chaseable.append(invoice)
        else:
            reasons.append(refusal)
            if refusal.code == "NOT_ISSUED" or refusal.code == "SETTLED":
                shut += 1
    return Sorted(chaseable, reasons, len(chaseable) + len(reasons) - shut)


def customer_refusal(case: Case, on: date, invoices: Sorted) -> Reason | None:
    """The first gate of 3.2 that stops the whole customer (S3-04, S3-05, D-17)."""
    if case.excluded:
        return Reason("EXCLUDED")
    plan = case.plan
    if plan is None:
        return Reason("NO_PLAN")
    if not plan.steps:
        return Reason("EMPTY_PLAN", {"plan": plan.name or str(plan.id)})
    if plan.paused:
        return Reason("PLAN_PAUSED", {"plan": plan.name or str(plan.id)})
    if not invoices.open_count:
        return Reason("NO_OPEN_INVOICE")
    if not invoices.chaseable:
        return Reason("NOTHING_CHASEABLE", {"count": invoices.open_count})
    if case.hold_until is not None and case.hold_until >= on:
        return Reason("CUSTOMER_ON_HOLD", {"until": case.hold_until}, case.hold_until)
    return None


def balance_refusal(case: Case, currency: str, invoices: Sequence[Invoice], minimum: int) -> Reason | None:
    """The balance left to chase in one currency is nothing, or too small to bother (S3-06, D-21)."""
    due = 0
    for invoice in invoices:
        due += invoice.balance
    unapplied = case.credits.get(currency, 0)
    if due - unapplied <= 0:
        return Reason("BALANCE_NOT_POSITIVE", {"balance": due, "credits": unapplied, "currency": currency})
    if due - unapplied < minimum:
        return Reason("BELOW_MINIMUM", {"balance": due - unapplied, "minimum": minimum, "currency": currency})
    return None


def sending_refusal(*, sending_on: bool, fed_on: date | None, fresh_days: int | None, on: date) -> Reason | None:
    """What keeps everything automatic of an organisation from leaving on local date ``on``.

    The switch first; then facts too old: the last import is dated ``fed_on`` and older than ``fresh_days``. Without a
    limit, or where nothing was ever imported (a ledger typed by hand), facts are never too old.
    """
    if not sending_on:
        return Reason("SENDING_OFF")
    if fresh_days is None or fed_on is None or (on - fed_on).days <= fresh_days:
        return None
    return Reason("DATA_TOO_OLD", {"fed_on": fed_on, "days": (on - fed_on).days, "limit": fresh_days})

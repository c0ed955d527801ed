"""Playing a plan again over a period of last year's ledger, day by day (section 8)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from relance.engine import deeds
from relance.engine.decide import decide
from relance.engine.horizon import next_change
from relance.engine.model import ADDRESSED_CHANNELS, NO_CHANNELS, Action, Case, Entry, Id, Invoice, Plan, Rules
from relance.engine.progress import DEEDS
from relance.engine.replay_document import CustomerRow, Document, Event

ActionKey = tuple[Id, str, Id, int]


class Opened(NamedTuple):
    """A manual action that waits, and the day of the run that raised it."""

    action: Action
    raised_on: date


class Performed(NamedTuple):
    """An action done on a day: one line of output."""

    on: date
    action: Action
    automatic: bool


class Account:
    """One customer of the replay as he stands on the day reached."""

    def __init__(self, row: CustomerRow, invoices: Iterable[Invoice]) -> None:
        self.id = row.id
        self.plan = row.plan
        self.excluded = row.excluded
        self.unreachable = NO_CHANNELS if row.reachable else ADDRESSED_CHANNELS
        self.judgment_on = row.judgment
        self.hold_until: date | None = None
        self.credits: dict[str, int] = {}
        self.invoices = {invoice.id: invoice for invoice in sorted(invoices, key=lambda one: one.number)}
        self.history: list[Entry] = []
        self.open: dict[ActionKey, Opened] = {}
        self.quiet_until = date.min

    def case(self, plans: dict[str, Plan], *, everything: bool = False) -> Case:
        """The facts for a decision; invoices fully paid are left out unless ``everything``."""
        return Case(
            customer=self.id,
            plan=None if self.plan is None else plans[self.plan],
            invoices=[one for one in self.invoices.values() if everything or one.balance > 0],
            history=self.history,
            credits=self.credits,
            excluded=self.excluded,
            hold_until=self.hold_until,
            judgment_on=self.judgment_on,
            unreachable=self.unreachable,
        )


class Replay:
    """The state of a replay: accounts, plans, and the actions performed so far."""

    def __init__(self, document: Document, *, skip_quiet: bool = True) -> None:
        self.document = document
        self.skip_quiet = skip_quiet
        self.rules = Rules(document.zone, document.tolerance, document.by_hand_modes)
        self.plans = dict(document.plans)
        self.performed: list[Performed] = []
        owned: dict[str, list[Invoice]] = {id_: [] for id_ in document.customers}
        for owner, invoice in document.invoices:
            owned[owner].append(invoice)
        self.accounts = {id_: Account(document.customers[id_], owned[id_]) for id_ in sorted(document.customers)}
        self.account_of_invoice = {invoice.id: self.accounts[owner] for owner, invoice in document.invoices}

    def play(self, until: date) -> None:
        """Events, manual actions whose day has come, then the runs, day by day up to ``until`` included."""
        events: dict[date, list[Event]] = {}
        for event in self.document.events:
            events.setdefault(event.on, []).append(event)
        for day in sorted(day for day in events if day < self.document.first):
            self.apply(events[day])
        runs = None if self.document.runs is None else Counter(self.document.runs)
        day = self.document.first
        while day <= until:
            self.apply(events.get(day, ()))
            self.perform_due(day)
            for _ in range(1 if runs is None else runs[day]):
                self.run(day)
            if day == date.max:
                break
            day += timedelta(days=1)

    def apply(self, events: Iterable[Event]) -> None:
        """The events of one day in the order of the list."""
        for event in events:
            if event.invoice is not None:
                account = self.account_of_invoice[event.invoice]
            else:
                account = self.accounts[str(event.customer)]
            account.quiet_until = date.min
            if event.type in CARRIER_EVENTS:
                self.do(account, event)
            elif event.invoice is not None:
                account.invoices[event.invoice] = changed_invoice(account.invoices[event.invoice], event)
            else:
                change_customer(account, event)

    def do(self, account: Account, event: Event) -> None:
        """A mark, skip or level set by hand: entries for its carriers, whose open actions are closed."""
        case, pending = account.case(self.plans, everything=True), [one.action for one in account.open.values()]
        if event.type == "mark":
            entries = deeds.marked(case, event.on, self.rules, event.invoice)
        elif event.type == "skip":
            entries = deeds.skipped(case, event.on, self.rules, event.invoice, pending)
        else:
            entries = deeds.level_set(case, event.on, self.rules, event.level, event.invoice)
        account.history += entries
        for reference in deeds.carried(case, event.on, self.rules, event.invoice):
            account.open = closed_on(account.open, case.plan, reference)

    def perform_due(self, day: date) -> None:
        """Manual actions whose day has come: done if still wanted, else withdrawn; checked together (3.10)."""
        lag = timedelta(days=self.document.manual_lag)
        for account in self.accounts.values():
            due = [key for key, one in account.open.items() if one.raised_on + lag <= day]
            if not due:
                continue
            wanted = {action.key: action for action in decide(account.case(self.plans), day, self.rules).manual}
            for key in due:
                action = wanted.get(key)
                if action is None:
                    del account.open[key]
                elif action.reason is None:
                    del account.open[key]
                    self.perform(account, action, day, by_run=False)

    def run(self, day: date) -> None:
        """The run of one day: what leaves by itself leaves, the to-do list becomes what the engine asks for."""
        for account in self.accounts.values():
            if day < account.quiet_until:
                continue
            case = account.case(self.plans)
            decision = decide(case, day, self.rules)
            still_open: dict[ActionKey, Opened] = {}
            for action in decision.actions:
                waits = not action.automatic and (action.reason is not None or self.document.manual_lag > 0)
                if waits:
                    known = account.open.get(action.key)
                    still_open[action.key] = Opened(action, known.raised_on if known else day)
                else:
                    self.perform(account, action, day, by_run=True)
            account.open = still_open
            if self.skip_quiet and not decision.actions:
                account.quiet_until = next_change(case, decision, self.rules)

    def perform(self, account: Account, action: Action, day: date, *, by_run: bool) -> None:
        """Done: into the history of the customer and into the output."""
        account.history += deeds.done(action, day, by_run=by_run)
        self.performed.append(Performed(day, action, action.automatic))

    def reasons(self, day: date) -> Iterator[dict[str, Any]]:
        """One line per customer: his state on a day after its run, and why (section 8)."""
        for account in self.accounts.values():
            decision = decide(account.case(self.plans), day, self.rules)
            codes: dict[tuple[str, Id], date | None] = {}
            for reason in decision.reasons:
                codes[reason.code, ""] = reason.until
            for carrier in decision.carriers:
                if carrier.code:
                    key, until = (carrier.code, ""), None if carrier.acts else carrier.leaves
                    known = codes.get(key)
                    codes[key] = min(known, until) if known and until else until
            for reason in decision.invoice_reasons:
                if reason.code not in {"NOT_ISSUED", "SETTLED"} and reason.invoice is not None:
                    codes[reason.code, reason.invoice] = reason.until
            dated = any(carrier.step is not None and not carrier.acts for carrier in decision.carriers)
            yield {
                "on": day.isoformat(),
                "customer": account.id,
                "state": state_of(account, day, dated=dated),
                "reasons": [reason_line(*key, codes[key]) for key in sorted(codes, key=str_key)],
            }


CARRIER_EVENTS = frozenset({"mark", "skip", "level"})


def changed_invoice(invoice: Invoice, event: Event) -> Invoice:
    """An invoice after an event of its own."""
    match event.type:
        case "payment":
            return invoice._replace(balance=invoice.balance - event.amount)
        case "dispute" | "resolve":
            return invoice._replace(disputed=event.type == "dispute")
        case "plan_off" | "plan_on":
            return invoice._replace(plan_on=event.type == "plan_on")
        case "promise":
            return invoice._replace(promise_until=event.until)
        case "hold":
            return invoice._replace(hold_until=event.until)
        case _:
            return invoice._replace(promise_until=None, hold_until=None)


def change_customer(account: Account, event: Event) -> None:
    """An event of the customer himself."""
    match event.type:
        case "credit":
            account.credits[event.currency] = account.credits.get(event.currency, 0) + event.amount
        case "contact":
            account.history.append(deeds.ad_hoc(event.on))
        case "assign":
            account.plan = event.plan
        case "exclude" | "include":
            account.excluded = event.type == "exclude"
        case "hold":
            account.hold_until = event.until
        case _:
            account.hold_until = None


def closed_on(open_actions: dict[ActionKey, Opened], plan: Plan | None, reference: Invoice) -> dict[ActionKey, Opened]:
    """The open actions once something was done on one carrier: its own is closed, a grouped one goes on without it."""
    kept: dict[ActionKey, Opened] = {}
    for key, one in open_actions.items():
        if plan is None or not deeds.concerns(one.action, plan, reference):
            kept[key] = one
        elif plan.scope == "invoice" and one.action.reference != reference.id:
            rest = tuple(id_ for id_ in one.action.invoices if id_ != reference.id)
            kept[key] = one._replace(action=one.action._replace(invoices=rest, carriers=rest))
    return kept


def state_of(account: Account, day: date, *, dated: bool) -> str:
    """acted, pending, waiting or nothing: the first that holds."""
    if any(entry.on == day and entry.kind in DEEDS for entry in account.history):
        return "acted"
    if account.open:
        return "pending"
    return "waiting" if dated else "nothing"


def str_key(key: tuple[str, Id]) -> tuple[str, str]:
    """Order of the reasons of one customer: code, then invoice, as text."""
    return (key[0], str(key[1]))


def reason_line(code: str, invoice: Id, until: date | None) -> dict[str, Any]:
    """One reason with only the keys it has."""
    line: dict[str, Any] = {"code": code}
    if invoice:
        line["invoice"] = invoice
    if until is not None:
        line["until"] = until.isoformat()
    return line


def action_line(done: Performed) -> dict[str, Any]:
    """One performed action, keys in the published order."""
    action = done.action
    return {
        "on": done.on.isoformat(),
        "customer": action.customer,
        "currency": action.currency,
        "plan": action.plan,
        "level": action.level,
        "channel": action.channel,
        "automatic": done.automatic,
        "reference": action.reference,
        "invoices": sorted(str(id_) for id_ in action.invoices),
        "amount": f"{action.amount // 100}.{action.amount % 100:02d}",
    }


def replay(document: Document, *, skip_quiet: bool = True) -> Iterator[str]:
    """The actions performed over the whole period, one JSON line each, sorted as published."""
    played = Replay(document, skip_quiet=skip_quiet)
    played.play(document.last)
    lines = [action_line(done) for done in played.performed]
    lines.sort(
        key=lambda one: (one["on"], one["customer"], one["currency"], one["plan"], one["level"], one["invoices"][0])
    )
    return (json.dumps(line, ensure_ascii=False) for line in lines)


def replay_reasons(document: Document, day: date) -> Iterator[str]:
    """State and reasons of every customer on a day of the period, after its run, one JSON line each."""
    played = Replay(document)
    played.play(day)
    return (json.dumps(line, ensure_ascii=False) for line in played.reasons(day))


def has_run(document: Document, day: date) -> bool:
    """A run takes place on that day."""
    if document.runs is not None:
        return day in document.runs
    return document.first <= day <= document.last

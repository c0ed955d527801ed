"""The product and `relance replay` are one engine: the same ledger gives the same relances."""

import json
import random
from datetime import date, timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.daily.hooks import hooks
from relance.dunning.models import Plan, Step, Template
from relance.engine.replay import replay
from relance.engine.replay_document import read_document
from relance.ledger import services as ledger
from relance.ledger.models import Invoice
from relance.ops import worker
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.models import Message, Status
from tests.conftest import at, make_customer, make_invoice

START, DAYS = date(2026, 1, 5), 55
STEPS = [(-3, True), (4, True), (8, True), (20, True)]


def euros(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def make_plan(organisation: Organisation, template: Template, kind: dict[str, str]) -> Plan:
    plan = Plan.objects.create(organisation=organisation, name="P", **kind)
    Step.objects.bulk_create(
        Step(
            organisation=organisation,
            plan=plan,
            level=level,
            name=f"N{level}",
            days=days,
            automatic=automatic,
            template=template,
        )
        for level, (days, automatic) in enumerate(STEPS, 1)
    )
    return plan


def events_of(invoices: list[Invoice], chance: random.Random) -> list[dict[str, Any]]:
    """Payments in full or in part, disputes and promises, in order of date."""
    events: list[dict[str, Any]] = []
    for invoice in invoices:
        on = START + timedelta(days=chance.randrange(5, DAYS))
        kind = chance.choice(["payment", "payment", "part", "dispute", "promise"])
        base = {"on": on, "invoice": invoice.number}
        if kind == "payment":
            events.append(base | {"type": "payment", "amount": invoice.total_cents})
        elif kind == "part":
            events.append(base | {"type": "payment", "amount": invoice.total_cents // 3})
        elif kind == "dispute":
            events.append(base | {"type": "dispute"})
            events.append(base | {"type": "resolve", "on": on + timedelta(days=9)})
        else:
            events.append(base | {"type": "promise", "until": on + timedelta(days=12)})
    return sorted(events, key=lambda event: event["on"])


def apply(event: dict[str, Any], invoice: Invoice, actor: User) -> None:
    on = event["on"]
    when: dict[str, Any] = {"on": on, "now": at(on), "actor": actor}
    if event["type"] == "payment":
        ledger.record_payment(invoice=invoice, amount_cents=event["amount"], **when)
    elif event["type"] == "dispute":
        ledger.open_dispute(invoice=invoice, **when)
    elif event["type"] == "resolve":
        ledger.resolve_dispute(invoice=invoice, **when)
    else:
        ledger.promise(invoice=invoice, until=event["until"], **when)


def document(kind: dict[str, str], invoices: list[Invoice], events: list[dict[str, Any]]) -> Any:
    steps = [
        {"level": n, "from": "due", "days": days, "channel": "email", "automatic": automatic}
        for n, (days, automatic) in enumerate(STEPS, 1)
    ]
    told = []
    for event in events:
        line = event | {"on": event["on"].isoformat()}
        if "amount" in line:
            line["amount"] = euros(line["amount"])
        if "until" in line:
            line["until"] = line["until"].isoformat()
        told.append(line)
    return {
        "format": "relance-replay/1",
        "from": START.isoformat(),
        "to": (START + timedelta(days=DAYS - 1)).isoformat(),
        "organisation": {},
        "plans": [{"id": "P", "steps": steps, **kind}],
        "customers": [{"id": c, "plan": "P"} for c in sorted({i.customer.code for i in invoices})],
        "invoices": [
            {
                "id": i.number,
                "customer": i.customer.code,
                "issued": i.issued.isoformat(),
                "due": i.due.isoformat(),
                "total": euros(i.total_cents),
            }
            for i in invoices
        ],
        "events": told,
    }


def live(
    organisation: Organisation,
    on: date,
    events: list[dict[str, Any]],
    invoices: dict[str, Invoice],
    actor: User,
) -> None:
    """One day: what happens to the ledger, then the pass and the departure."""
    for event in events:
        if event["on"] == on:
            apply(event, Invoice.objects.get(pk=invoices[event["invoice"]].pk), actor)
    run.run(organisation, on=on, now=at(on), spread=False, pause=0)
    worker.drain(hooks=hooks(lambda: at(on)), now=lambda: at(on), channels={"email": FakeChannel})


@pytest.mark.parametrize(
    "kind",
    [
        {"scope": "customer", "progression": "sequence"},
        {"scope": "invoice", "progression": "age", "grouping": "customer"},
        {"scope": "invoice", "progression": "sequence"},
    ],
    ids=["client, à la suite", "facture, par âge, groupé", "facture, à la suite"],
)
def test_the_product_sends_what_replay_prints(
    organisation: Organisation, owner: User, template: Template, kind: dict[str, str]
) -> None:
    chance = random.Random(20260105)
    plan = make_plan(organisation, template, kind)
    invoices = [
        make_invoice(
            make_customer(organisation, plan, f"Client {c}", code=f"C{c}")
            if n == 0
            else Invoice.objects.filter(customer__code=f"C{c}")[0].customer,
            f"F-{c}-{n}",
            START + timedelta(days=chance.randrange(0, 50)),
            chance.randrange(20_00, 900_00),
        )
        for c in range(5)
        for n in range(3)
    ]
    by_number = {invoice.number: invoice for invoice in invoices}
    events = events_of(invoices, chance)
    expected = [
        json.loads(line) for line in replay(read_document(document(kind, invoices, events)))
    ]
    for offset in range(DAYS):
        live(organisation, START + timedelta(days=offset), events, by_number, owner)
    sent = [
        (
            message.on.isoformat(),
            message.customer.code,
            message.level,
            sorted(line.invoice.number for line in message.lines.all()),
            euros(message.amount_cents),
        )
        for message in Message.objects.filter(status=Status.SENT)
        .select_related("customer")
        .prefetch_related("lines__invoice")
    ]
    wanted = [(e["on"], e["customer"], e["level"], e["invoices"], e["amount"]) for e in expected]
    assert len(wanted) > 10
    assert sorted(sent) == sorted(wanted)

"""Any replay document, small enough to be read when a property fails."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

START = date(2025, 4, 14)
LENGTH = 32
Document = dict[str, Any]


def days(low: int, high: int) -> st.SearchStrategy[str]:
    """ISO dates from ``low`` to ``high`` days after the start of the period."""
    return st.integers(low, high).map(lambda n: (START + timedelta(days=n)).isoformat())


def cents(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(amount)


def amount(value: int) -> str:
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"


@st.composite
def plans(draw: st.DrawFn, id_: str) -> Document:
    """A plan that breaks no rule."""
    progression = draw(st.sampled_from(["sequence", "age"]))
    scope = draw(st.sampled_from(["customer", "invoice"]))
    before = sorted(draw(st.lists(st.integers(-8, -1), max_size=2)))
    after = draw(st.lists(st.integers(0, 12), min_size=draw(st.sampled_from([0, 2, 2, 2, 3])), max_size=4))
    kinds = ["due", "due", "due", "issue", "due_month_end"]
    kinds += ["previous"] if progression == "sequence" else []
    steps: list[Document] = [{"from": "due", "days": days} for days in before]
    highest: dict[str, int] = {}
    for gap in after:
        kind = draw(st.sampled_from(kinds))
        if kind == "previous" and not steps:
            kind = "due"
        base = gap + (20 if kind == "issue" else 0)
        if kind != "previous":
            base = highest[kind] = max(base, highest.get(kind, 0) + gap // 2)
        steps.append({"from": kind, "days": base})
    for level, step in enumerate(steps, 1):
        channels = ["email", "email", "letter", "sms", "call", "task", "registered_letter"]
        channel = draw(st.sampled_from(channels))
        automatic = channel in {"email", "letter", "sms"} and draw(st.booleans())
        step.update(level=level, channel=channel, automatic=automatic)
    if steps and steps[-1]["days"] >= 0 and draw(st.booleans()):
        steps[-1]["repeat_every"] = draw(st.integers(1, 9))
    return {
        "id": id_,
        "scope": scope,
        "progression": progression,
        "grouping": "none" if scope == "customer" else draw(st.sampled_from(["none", "customer"])),
        "min_contact_days": draw(st.sampled_from([0, 1, 3, 5])),
        "minimum": draw(st.sampled_from([*["0.00"] * 5, "150.00"])),
        "steps": steps,
    }


@st.composite
def events(draw: st.DrawFn, document: Document, *, levels: bool = True) -> list[Document]:
    """Events that fit the plans as they are after the events before them."""
    plan_of = {customer["id"]: customer.get("plan") for customer in document["customers"]}
    by_id = {plan["id"]: plan for plan in document["plans"]}
    customers = st.sampled_from(sorted(plan_of))
    found: list[Document] = []
    kinds = ["payment", "payment", "credit", "dispute", "resolve", "promise", "hold", "release"]
    kinds += ["plan_off", "plan_on", "contact", "mark", "skip", "assign", "exclude", "include"]
    for on in sorted(draw(st.lists(days(-12, LENGTH), max_size=8))):
        kind = draw(st.sampled_from(kinds + ["level"] * levels))
        event: Document = {"on": on, "type": kind}
        if document["invoices"] and kind in {
            "payment",
            "dispute",
            "resolve",
            "promise",
            "plan_off",
            "plan_on",
        }:
            event["invoice"] = draw(st.sampled_from(document["invoices"]))["id"]
        elif kind in {"credit", "contact", "assign", "exclude", "include", "hold", "release"}:
            event["customer"] = draw(customers)
        else:
            owner = draw(customers)
            plan = by_id.get(plan_of[owner])
            mine = [one["id"] for one in document["invoices"] if one["customer"] == owner]
            if plan is None or (plan["scope"] == "invoice" and not mine):
                continue
            if plan["scope"] == "invoice":
                event["invoice"] = draw(st.sampled_from(mine))
            else:
                event["customer"] = owner
            if kind == "level":
                event["level"] = draw(st.integers(0, len(plan["steps"])))
            elif kind not in {"mark", "skip"}:
                continue
        if kind in {"promise", "hold"}:
            event["until"] = draw(days(-5, LENGTH + 5))
        elif kind in {"payment", "credit"}:
            event["amount"] = draw(st.sampled_from(["100.00", "200.00", "50.00", "-50.00"]))
        elif kind == "assign":
            event["plan"] = plan_of[event["customer"]] = draw(st.sampled_from([*sorted(by_id), None]))
        found.append(event)
    return found


@st.composite
def documents(draw: st.DrawFn, *, levels: bool = True) -> Document:
    """A whole document."""
    document: Document = {
        "format": "relance-replay/1",
        "from": START.isoformat(),
        "to": (START + timedelta(days=LENGTH)).isoformat(),
        "organisation": {
            "zone": draw(st.sampled_from(["none", "metropole"])),
            "tolerance": draw(st.sampled_from(["0.00", "0.00", "60.00"])),
            "manual_lag": draw(st.sampled_from([0, 0, 1, 3])),
        },
        "plans": [draw(plans("P1")), draw(plans("P2"))],
        "customers": [
            {
                "id": f"C{rank}",
                "plan": draw(st.sampled_from([*["P1", "P2"] * 5, None])),
                "reachable": draw(st.sampled_from([True] * 4 + [False])),
                "judgment": draw(st.sampled_from([None] * 6 + [draw(days(-5, LENGTH))])),
            }
            for rank in range(draw(st.integers(1, 3)))
        ],
        "invoices": [],
    }
    for rank in range(draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7]))):
        due = draw(st.integers(-15, LENGTH - 10))
        document["invoices"].append(
            {
                "id": f"F{rank}",
                "customer": draw(st.sampled_from(document["customers"]))["id"],
                "issued": (START + timedelta(days=due - draw(st.sampled_from([0, 10, 30])))).isoformat(),
                "due": (START + timedelta(days=due)).isoformat(),
                "total": draw(st.sampled_from(["100.00", "200.00"])),
                "currency": draw(st.sampled_from(["EUR"] * 5 + ["USD"])),
                "mode": draw(st.sampled_from(["transfer"] * 8 + ["direct_debit"])),
            }
        )
    document["events"] = draw(events(document, levels=levels))
    if draw(st.sampled_from([False, False, True])):
        document["run_on"] = draw(st.lists(days(0, LENGTH), max_size=20))
    return document

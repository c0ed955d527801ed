"""Engine scenarios as text that an accountant can read: a plan, invoices, events, and the lines expected.

    === T-15 two levels closer than the minimum contact delay
    J = 2025-03-03
    plan std customer sequence delay 5
      1 due+7 email auto
      2 due+10 email auto
    customer C plan std
    invoice F1 of C 100.00 due J
    run J-10 .. J+30
    gives
      J+7 C level 1 email F1
      J+12 C level 2 email F1
    why J+8
      C waiting MIN_CONTACT_DELAY until J+12

``J`` is any date to count from. Zone ``none`` unless said otherwise. ``gives`` lists every action of the period,
``why`` the state and every reason of the customers on a day. A manual action is written ``by hand``.
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from relance.engine.replay import replay, replay_reasons
from relance.engine.replay_document import read_document

FOLDER = Path(__file__).parent / "scenarios"
WITH_UNTIL = {"promise", "hold"}


class Scenario(NamedTuple):
    """One scenario: its replay document, the lines expected, and the reasons expected by day."""

    title: str
    document: dict[str, Any]
    gives: list[str]
    why: dict[date, list[str]]


class Reader:
    """Reads one scenario line by line."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.start = date(2025, 1, 1)
        self.document: dict[str, Any] = {
            "format": "relance-replay/1",
            "organisation": {"zone": "none"},
            "plans": [],
            "customers": [],
            "invoices": [],
            "events": [],
        }
        self.gives: list[str] = []
        self.why: dict[date, list[str]] = {}
        self.section = ""
        self.asked = self.start

    def day(self, text: str) -> date:
        """``J``, ``J+7``, ``J-3`` or an ISO date."""
        if text.startswith("J"):
            return self.start + timedelta(days=int(text[1:] or 0))
        return date.fromisoformat(text)

    def iso(self, text: str) -> str:
        return self.day(text).isoformat()

    def read(self, line: str) -> None:
        words = line.split()
        if not line.startswith(" "):
            self.section = words[0]
            getattr(self, f"read_{words[0]}")(words[1:])
        elif self.section == "plan":
            self.document["plans"][-1]["steps"].append(step(words))
        elif self.section == "gives":
            self.gives.append(" ".join([self.iso(words[0]), *words[1:]]))
        else:
            dated = [self.iso(word) if re.fullmatch(r"J([+-]\d+)?", word) else word for word in words]
            self.why[self.asked].append(" ".join(dated))

    def read_J(self, words: list[str]) -> None:  # noqa: N802
        self.start = date.fromisoformat(words[1])

    def read_zone(self, words: list[str]) -> None:
        self.document["organisation"]["zone"] = words[0]

    def read_tolerance(self, words: list[str]) -> None:
        self.document["organisation"]["tolerance"] = words[0]

    def read_lag(self, words: list[str]) -> None:
        self.document["organisation"]["manual_lag"] = int(words[0])

    def read_plan(self, words: list[str]) -> None:
        plan: dict[str, Any] = {
            "id": words[0],
            "scope": words[1],
            "progression": words[2],
            "steps": [],
        }
        options = dict(zip(words[3::2], words[4::2], strict=True))
        plan["min_contact_days"] = int(options.pop("delay", "5"))
        plan.update(options)
        self.document["plans"].append(plan)

    def read_customer(self, words: list[str]) -> None:
        customer: dict[str, Any] = {"id": words[0]}
        rest = iter(words[1:])
        for word in rest:
            if word == "plan":
                customer["plan"] = next(rest)
            elif word == "judgment":
                customer["judgment"] = self.iso(next(rest))
            elif word == "unreachable":
                customer["reachable"] = False
            else:
                customer[word] = True
        self.document["customers"].append(customer)

    def read_invoice(self, words: list[str]) -> None:
        options = dict(zip(words[4::2], words[5::2], strict=True))
        due = self.day(options.pop("due"))
        issued = self.day(options.pop("issued")) if "issued" in options else due - timedelta(days=30)
        self.document["invoices"].append(
            {"id": words[0], "customer": words[2], "total": words[3], "due": due.isoformat()}
            | {"issued": issued.isoformat()}
            | options
        )

    def read_event(self, words: list[str]) -> None:
        on, kind, subject, *rest = words
        event: dict[str, Any] = {"on": self.iso(on), "type": kind}
        known = {customer["id"] for customer in self.document["customers"]}
        event["customer" if subject in known else "invoice"] = subject
        if kind in WITH_UNTIL:
            event["until"] = self.iso(rest[-1])
        elif kind == "level":
            event["level"] = int(rest[0])
        elif kind == "assign":
            event["plan"] = rest[0] if rest[0] != "none" else None
        elif kind in {"payment", "credit"}:
            event["amount"] = rest[0]
            event.update({"currency": rest[1]} if rest[1:] else {})
        self.document["events"].append(event)

    def read_run(self, words: list[str]) -> None:
        self.document["from"], self.document["to"] = self.iso(words[0]), self.iso(words[2])
        if words[3:]:
            self.document["run_on"] = [self.iso(word) for word in words[4:]]

    def read_gives(self, words: list[str]) -> None:
        assert words in ([], ["nothing"])

    def read_why(self, words: list[str]) -> None:
        self.asked = self.day(words[0])
        self.why[self.asked] = []


def step(words: list[str]) -> dict[str, Any]:
    """``2 due+10 email auto`` or ``3 previous+5 call by hand repeat 10``."""
    trigger = re.fullmatch(r"([a-z_]+)([+-]\d+)", words[1])
    assert trigger, words
    found: dict[str, Any] = {
        "level": int(words[0]),
        "from": trigger[1],
        "days": int(trigger[2]),
        "channel": words[2],
        "automatic": words[3] == "auto",
    }
    if "repeat" in words:
        found["repeat_every"] = int(words[-1])
    return found


def scenarios() -> list[Scenario]:
    """Every scenario of the folder."""
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        reader: Reader | None = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("=== "):
                reader = Reader(line[4:])
                found.append(reader)
            elif line.strip() and not line.lstrip().startswith("#"):
                assert reader is not None, f"{path.name}:{number}"
                try:
                    reader.read(line.rstrip())
                except Exception as error:
                    raise ValueError(f"{path.name}:{number}: {line!r}") from error
    return [Scenario(one.title, one.document, one.gives, one.why) for one in found]


def lines_given(document: dict[str, Any]) -> list[str]:
    """What the replay does, in the words of a scenario."""
    lines = [json.loads(line) for line in replay(read_document(document))]
    return [action_text(line) for line in lines]


def action_text(line: dict[str, Any]) -> str:
    """``2025-03-10 C level 1 email F1 F2 = 300.00``, with ``by hand`` and the currency when they matter."""
    others = [id_ for id_ in line["invoices"] if id_ != line["reference"]]
    words = [
        line["on"],
        line["customer"],
        "level",
        str(line["level"]),
        line["channel"],
        line["reference"],
        *others,
    ]
    if line["currency"] != "EUR":
        words.append(line["currency"])
    if not line["automatic"]:
        words.append("by hand")
    return " ".join([*words, "=", line["amount"]])


def reasons_given(document: dict[str, Any], day: date) -> list[str]:
    """State and reasons of each customer on a day, in the words of a scenario."""
    return [why_text(json.loads(line)) for line in replay_reasons(read_document(document), day)]


def why_text(line: dict[str, Any]) -> str:
    """``C waiting MIN_CONTACT_DELAY until 2025-03-15, F2 PROMISED until 2025-03-20``."""
    reasons = []
    for reason in line["reasons"]:
        words = [reason["invoice"]] if "invoice" in reason else []
        words += [reason["code"]] + (["until", reason["until"]] if "until" in reason else [])
        reasons.append(" ".join(words))
    return f"{line['customer']} {line['state']} {' + '.join(reasons)}".strip()


def without_amount(line: str) -> str:
    return line.partition(" =")[0]


def check(scenario: Scenario) -> None:
    """Every action of the period, and every reason of the days asked, are exactly those written."""
    written = dict(enumerate(scenario.gives))
    given = [
        line if " = " in written.get(rank, " = ") else without_amount(line)
        for rank, line in enumerate(lines_given(scenario.document))
    ]
    assert given == scenario.gives
    for day, expected in scenario.why.items():
        assert reasons_given(scenario.document, day) == expected, day

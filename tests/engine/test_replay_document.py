"""``relance replay`` as a public interface: what is refused, with the path of the fault, and how it prints."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from relance.cli import main

GOOD: dict[str, Any] = {
    "format": "relance-replay/1",
    "from": "2025-01-01",
    "to": "2025-12-31",
    "run_on": None,
    "organisation": {
        "zone": "metropole",
        "tolerance": "0.00",
        "by_hand_modes": ["direct_debit"],
        "manual_lag": 0,
    },
    "plans": [
        {
            "id": "std",
            "scope": "customer",
            "progression": "sequence",
            "grouping": "none",
            "min_contact_days": 5,
            "minimum": "0.00",
            "steps": [
                {"level": 1, "from": "due", "days": -3, "channel": "email", "automatic": True},
                {
                    "level": 2,
                    "from": "due",
                    "days": 7,
                    "channel": "email",
                    "automatic": True,
                    "repeat_every": None,
                },
            ],
        },
        {"id": "inv", "scope": "invoice", "progression": "age", "steps": []},
    ],
    "customers": [
        {"id": "C1", "plan": "std", "excluded": False, "reachable": True, "judgment": None},
        {"id": "C2"},
        {"id": "C3", "plan": "inv"},
    ],
    "invoices": [
        {
            "id": "F1",
            "customer": "C1",
            "issued": "2025-01-02",
            "due": "2025-02-01",
            "total": "120.00",
            "currency": "EUR",
            "mode": "transfer",
        },
        {
            "id": "F2",
            "customer": "C3",
            "issued": "2025-01-02",
            "due": "2025-02-01",
            "total": "1.00",
        },
    ],
    "events": [{"on": "2025-02-20", "type": "payment", "invoice": "F1", "amount": "120.00"}],
}
LINES = (
    '{"on": "2025-01-29", "customer": "C1", "currency": "EUR", "plan": "std", "level": 1, '
    '"channel": "email", "automatic": true, "reference": "F1", "invoices": ["F1"], "amount": "120.00"}\n'
    '{"on": "2025-02-10", "customer": "C1", "currency": "EUR", "plan": "std", "level": 2, '
    '"channel": "email", "automatic": true, "reference": "F1", "invoices": ["F1"], "amount": "120.00"}\n'
)
MISSING = object()


def changed(path: list[str | int], value: Any) -> dict[str, Any]:
    """The good document with one value replaced, added, or taken away."""
    document = copy.deepcopy(GOOD)
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    if value is MISSING:
        del target[path[-1]]
    elif isinstance(target, list) and path[-1] == len(target):
        target.append(value)
    else:
        target[path[-1]] = value
    return document


def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], document: Any, *options: str) -> str:
    """The one line on standard error of a refused document."""
    file = tmp_path / "document.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    assert main(["replay", str(file), *options]) == 2
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.endswith("\n")
    return output.err


def accepted(tmp_path: Path, capfd: pytest.CaptureFixture[str], document: Any, *options: str) -> str:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert main(["replay", str(file), *options]) == 0
    output = capfd.readouterr()
    assert output.err == ""
    return output.out


def test_the_published_example_prints_the_published_lines(tmp_path: Path, capfd: Any) -> None:
    assert accepted(tmp_path, capfd, GOOD) == LINES


def test_optional_keys_take_the_published_defaults(tmp_path: Path, capfd: Any) -> None:
    document = copy.deepcopy(GOOD)
    document["organisation"] = {}
    del document["run_on"]
    for key in ("grouping", "min_contact_days", "minimum"):
        del document["plans"][0][key]
    del document["plans"][0]["steps"][1]["repeat_every"]
    document["customers"][0] = {"id": "C1", "plan": "std"}
    for key in ("currency", "mode"):
        del document["invoices"][0][key]
    assert accepted(tmp_path, capfd, document) == LINES
    del document["events"]
    assert accepted(tmp_path, capfd, document) == LINES


def test_reasons_of_a_day_print_one_line_per_customer(tmp_path: Path, capfd: Any) -> None:
    given = accepted(tmp_path, capfd, GOOD, "--reasons", "2025-02-05")
    assert given == (
        '{"on": "2025-02-05", "customer": "C1", "state": "waiting", '
        '"reasons": [{"code": "NOT_YET_TRIGGERED", "until": "2025-02-10"}]}\n'
        '{"on": "2025-02-05", "customer": "C2", "state": "nothing", "reasons": [{"code": "NO_PLAN"}]}\n'
        '{"on": "2025-02-05", "customer": "C3", "state": "nothing", "reasons": [{"code": "EMPTY_PLAN"}]}\n'
    )


def test_invoice_reasons_name_their_invoice(tmp_path: Path, capfd: Any) -> None:
    document = changed(["events", 0], {"on": "2025-02-01", "type": "hold", "invoice": "F1", "until": "2025-03-01"})
    assert accepted(tmp_path, capfd, document, "--reasons=2025-02-05").startswith(
        '{"on": "2025-02-05", "customer": "C1", "state": "nothing", "reasons": '
        '[{"code": "INVOICE_ON_HOLD", "invoice": "F1", "until": "2025-03-01"}, {"code": "NOTHING_CHASEABLE"}]}\n'
    )


FAULTS: list[tuple[list[str | int], Any, str]] = [
    (["format"], "relance-replay/2", "$.format"),
    (["format"], MISSING, "$.format"),
    (["from"], MISSING, "$.from"),
    (["from"], "2025-02-30", "$.from"),
    (["from"], "20250101", "$.from"),
    (["from"], "2025-W01-1", "$.from"),
    (["from"], 20250101, "$.from"),
    (["to"], "2024-12-31", "$.to"),
    (["run_on"], "2025-01-01", "$.run_on"),
    (["run_on"], ["2025-01-01", "2026-01-01"], "$.run_on[1]"),
    (["run_on"], [None], "$.run_on[0]"),
    (["colour"], 1, "$.colour"),
    (["strange key"], 1, '$."strange key"'),
    (["organisation"], MISSING, "$.organisation"),
    (["organisation"], [], "$.organisation"),
    (["organisation", "zone"], "corse", "$.organisation.zone"),
    (["organisation", "zone"], None, "$.organisation.zone"),
    (["organisation", "zone"], ["metropole"], "$.organisation.zone"),
    (["organisation", "tolerance"], "-1.00", "$.organisation.tolerance"),
    (["organisation", "tolerance"], 0, "$.organisation.tolerance"),
    (["organisation", "tolerance"], "0.0", "$.organisation.tolerance"),
    (["organisation", "manual_lag"], -1, "$.organisation.manual_lag"),
    (["organisation", "manual_lag"], 1.0, "$.organisation.manual_lag"),
    (["organisation", "manual_lag"], True, "$.organisation.manual_lag"),
    (["organisation", "by_hand_modes"], "cheque", "$.organisation.by_hand_modes"),
    (["organisation", "by_hand_modes"], [1], "$.organisation.by_hand_modes[0]"),
    (["plans"], {}, "$.plans"),
    (["plans", 0], [], "$.plans[0]"),
    (["plans", 0, "id"], MISSING, "$.plans[0].id"),
    (["plans", 1, "id"], "std", "$.plans[1].id"),
    (["plans", 0, "scope"], "site", "$.plans[0].scope"),
    (["plans", 0, "progression"], MISSING, "$.plans[0].progression"),
    (["plans", 0, "grouping"], "customer", "$.plans[0].grouping"),
    (["plans", 0, "paused"], True, "$.plans[0].paused"),
    (["plans", 0, "min_contact_days"], 31, "$.plans[0].min_contact_days"),
    (["plans", 0, "min_contact_days"], -1, "$.plans[0].min_contact_days"),
    (["plans", 0, "minimum"], "-0.01", "$.plans[0].minimum"),
    (["plans", 0, "steps"], MISSING, "$.plans[0].steps"),
    (["plans", 0, "steps", 0, "level"], 3, "$.plans[0].steps[0].level"),
    (["plans", 0, "steps", 1, "level"], 1, "$.plans[0].steps[1].level"),
    (["plans", 0, "steps", 0, "level"], 0, "$.plans[0].steps[0].level"),
    (["plans", 0, "steps", 0, "level"], "1", "$.plans[0].steps[0].level"),
    (["plans", 0, "steps", 0, "name"], "Premier", "$.plans[0].steps[0].name"),
    (["plans", 0, "steps", 1, "from"], "sent", "$.plans[0].steps[1].from"),
    (["plans", 0, "steps", 0, "from"], "issue", "$.plans[0].steps[0].days"),
    (["plans", 0, "steps", 0, "from"], "due_month_end", "$.plans[0].steps[0].days"),
    (["plans", 0, "steps", 0], {"level": 1, "from": "previous", "days": 3, "channel": "email", "automatic": True},
     "$.plans[0].steps[0].from"),
    (["plans", 0, "steps", 1, "days"], -5, "$.plans[0].steps[1].days"),
    (["plans", 0, "steps", 0, "days"], 8, "$.plans[0].steps[1].days"),
    (["plans", 0, "steps", 0, "days"], 10**9, "$.plans[0].steps[0].days"),
    (["plans", 0, "steps", 0, "channel"], "fax", "$.plans[0].steps[0].channel"),
    (["plans", 0, "steps", 0, "channel"], "call", "$.plans[0].steps[0].automatic"),
    (["plans", 0, "steps", 0, "channel"], "registered_letter", "$.plans[0].steps[0].automatic"),
    (["plans", 0, "steps", 0, "automatic"], 1, "$.plans[0].steps[0].automatic"),
    (["plans", 0, "steps", 0, "repeat_every"], 5, "$.plans[0].steps[0].repeat_every"),
    (["plans", 0, "steps", 1, "repeat_every"], 0, "$.plans[0].steps[1].repeat_every"),
    (["customers", 0, "id"], 1, "$.customers[0].id"),
    (["customers", 1, "id"], "C1", "$.customers[1].id"),
    (["customers", 0, "plan"], "none", "$.customers[0].plan"),
    (["customers", 0, "excluded"], None, "$.customers[0].excluded"),
    (["customers", 0, "reachable"], "yes", "$.customers[0].reachable"),
    (["customers", 0, "judgment"], "2025", "$.customers[0].judgment"),
    (["invoices", 0, "due"], MISSING, "$.invoices[0].due"),
    (["invoices", 1, "id"], "F1", "$.invoices[1].id"),
    (["invoices", 0, "customer"], "C9", "$.invoices[0].customer"),
    (["invoices", 0, "total"], 120.0, "$.invoices[0].total"),
    (["invoices", 0, "total"], "120", "$.invoices[0].total"),
    (["invoices", 0, "total"], "1 120.00", "$.invoices[0].total"),
    (["invoices", 0, "total"], "12٠.00", "$.invoices[0].total"),
    (["invoices", 0, "total"], "120.00\n", "$.invoices[0].total"),
    (["invoices", 0, "currency"], "euro", "$.invoices[0].currency"),
    (["invoices", 0, "mode"], None, "$.invoices[0].mode"),
    (["events"], None, "$.events"),
    (["events", 0, "type"], MISSING, "$.events[0].type"),
    (["events", 0, "type"], "refund", "$.events[0].type"),
    (["events", 0, "on"], MISSING, "$.events[0].on"),
    (["events", 0, "invoice"], "F9", "$.events[0].invoice"),
    (["events", 0, "customer"], "C1", "$.events[0].customer"),
    (["events", 0, "amount"], MISSING, "$.events[0].amount"),
    (["events", 0, "currency"], "EUR", "$.events[0].currency"),
    (["events", 1], {"on": "2025-02-01", "type": "promise", "invoice": "F1"}, "$.events[1].until"),
    (["events", 1], {"on": "2025-02-01", "type": "hold", "until": "2025-02-01"}, "$.events[1].customer"),
    (["events", 1], {"on": "2025-02-01", "type": "release", "customer": "C1", "invoice": "F1"}, "$.events[1].invoice"),
    (["events", 1], {"on": "2025-02-01", "type": "contact", "invoice": "F1"}, "$.events[1].invoice"),
    (["events", 1], {"on": "2025-02-01", "type": "mark", "invoice": "F1"}, "$.events[1].invoice"),
    (["events", 1], {"on": "2025-02-01", "type": "skip", "customer": "C2"}, "$.events[1].customer"),
    (["events", 1], {"on": "2025-02-01", "type": "mark", "customer": "C3"}, "$.events[1].customer"),
    (["events", 1], {"on": "2025-02-01", "type": "level", "customer": "C1", "level": 3}, "$.events[1].level"),
    (["events", 1], {"on": "2025-02-01", "type": "level", "customer": "C1", "level": -1}, "$.events[1].level"),
    (["events", 1], {"on": "2025-02-01", "type": "assign", "customer": "C1"}, "$.events[1].plan"),
    (["events", 1], {"on": "2025-02-01", "type": "assign", "customer": "C1", "plan": "x"}, "$.events[1].plan"),
    (["events", 1], {"on": "2026-02-01", "type": "exclude", "customer": "C9"}, "$.events[1].customer"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "named"), FAULTS, ids=[f"{n}-{fault[2]}" for n, fault in enumerate(FAULTS)])
def test_a_bad_document_is_refused_with_the_path_of_the_fault(
    tmp_path: Path, capfd: Any, path: list[str | int], value: Any, named: str
) -> None:
    assert f"{named} " in refused(tmp_path, capfd, changed(path, value))


PLAN_RULES = [
    ({"progression": "age", "steps": [("due", 1), ("previous", 2)]}, "steps[1].from"),
    ({"steps": [("due", 1), ("due", -1)]}, "steps[1].days"),
    ({"steps": [("issue", 10), ("due", -1)]}, "steps[1].days"),
    ({"steps": [("issue", 10), ("due", 5), ("issue", 9)]}, "steps[2].days"),
    ({"steps": [("due", -3, 4)]}, "steps[0].repeat_every"),
    ({"steps": [("due", 3, 4), ("due", 5)]}, "steps[0].repeat_every"),
]


@pytest.mark.parametrize(("plan", "named"), PLAN_RULES)
def test_a_plan_that_breaks_a_rule_is_refused(tmp_path: Path, capfd: Any, plan: Any, named: str) -> None:
    steps = [
        {"level": rank, "from": one[0], "days": one[1], "channel": "email", "automatic": True}
        | ({"repeat_every": one[2]} if one[2:] else {})
        for rank, one in enumerate(plan["steps"], 1)
    ]
    document = changed(
        ["plans", 0],
        {"id": "std", "scope": "invoice", "progression": "sequence", **plan, "steps": steps},
    )
    assert f"$.plans[0].{named} " in refused(tmp_path, capfd, document)


def test_a_mark_is_judged_on_the_plan_after_the_events_listed_before_it(tmp_path: Path, capfd: Any) -> None:
    assign = {"on": "2025-01-05", "type": "assign", "customer": "C1", "plan": "inv"}
    mark = {"on": "2025-01-05", "type": "mark", "invoice": "F1"}
    assert accepted(tmp_path, capfd, changed(["events"], [assign, mark])) == ""
    assert "$.events[0].invoice " in refused(tmp_path, capfd, changed(["events"], [mark, assign]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{'a': 1}",
        "NaN",
        "[" * 100_000,
        '{"a": 1} x',
        "1" * 5000,
        '{"format": Infinity}',
    ],
)
def test_what_is_no_json_document_is_refused(tmp_path: Path, capfd: Any, text: str) -> None:
    assert "$ " in refused(tmp_path, capfd, text)


def test_a_key_given_twice_is_refused(tmp_path: Path, capfd: Any) -> None:
    text = json.dumps(GOOD).replace('"id": "C1"', '"id": "C1", "id": "C0"')
    assert "$.customers[0].id " in refused(tmp_path, capfd, text)


def test_half_a_character_is_refused(tmp_path: Path, capfd: Any) -> None:
    text = json.dumps(GOOD).replace('{"id": "C2"}', '{"id": "\\ud800"}')
    assert "$.customers[1].id " in refused(tmp_path, capfd, text)


def test_a_file_that_is_absent_or_not_utf8_is_refused(tmp_path: Path, capfd: Any) -> None:
    bad = tmp_path / "latin.json"
    bad.write_bytes('{"é": 1}'.encode("cp1252"))
    for name in (tmp_path / "absent.json", tmp_path, bad):
        assert main(["replay", str(name)]) == 2
        assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--reasons", "2025-13-01"],
        ["--reasons", "2026-01-01"],
        ["--reasons"],
        ["--why"],
        ["other.json"],
    ],
)
def test_bad_options_are_refused(tmp_path: Path, capfd: Any, options: list[str]) -> None:
    assert refused(tmp_path, capfd, GOOD, *options).strip()


def test_reasons_need_a_day_with_a_run(tmp_path: Path, capfd: Any) -> None:
    document = changed(["run_on"], ["2025-02-06"])
    assert "2025-02-06" in accepted(tmp_path, capfd, document, "--reasons", "2025-02-06")
    assert "2025-02-05" in refused(tmp_path, capfd, document, "--reasons", "2025-02-05")


def test_texts_are_sorted_and_printed_as_they_are(tmp_path: Path, capfd: Any) -> None:
    """UTF-8 not escaped, order by code point whatever the language."""
    document = changed(
        ["customers"],
        [{"id": name, "plan": "std"} for name in ("é", "z", "C1", "Z")] + [{"id": "C3"}],
    )
    document["invoices"] += [
        {
            "id": f"Facture № {name}",
            "customer": name,
            "issued": "2025-01-02",
            "due": "2025-02-01",
            "total": "1.00",
        }
        for name in ("é", "z", "Z")
    ]
    first = [line for line in accepted(tmp_path, capfd, document).splitlines() if "2025-01-29" in line]
    assert [json.loads(line)["customer"] for line in first] == ["C1", "Z", "z", "é"]
    assert "Facture № é" in first[-1]


def test_dates_at_the_end_of_time_do_no_harm(tmp_path: Path, capfd: Any) -> None:
    document = changed(["invoices", 0, "due"], "9999-12-30")
    document["events"] = [{"on": "2025-01-01", "type": "hold", "customer": "C1", "until": "9999-12-31"}]
    assert accepted(tmp_path, capfd, document) == ""
    document["events"] = []
    assert '"until": "9999-12-27"' in accepted(tmp_path, capfd, document, "--reasons", "2025-02-05")


def test_the_output_does_not_depend_on_the_hash_seed_and_loads_no_framework(tmp_path: Path) -> None:
    """Same bytes from any interpreter; under 0.4 s because neither Django nor anything heavy is loaded."""
    file = tmp_path / "document.json"
    file.write_text(json.dumps(GOOD), encoding="utf-8")
    code = (
        "import sys; from relance.cli import main; code = main(sys.argv[1:]);"
        "sys.exit(code or ('django' in sys.modules and 9) or 0)"
    )
    outputs, times = set(), []
    for seed in ("0", "1", "4242"):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, "replay", str(file)],
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
            check=True,
        )
        times.append(time.perf_counter() - started)
        outputs.add(done.stdout)
    assert outputs == {LINES.encode()}
    assert min(times) < 0.4

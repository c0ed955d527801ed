"""Reading a replay document: every fault is named with its JSON path, nothing is guessed (section 8)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, NoReturn

from relance.engine.calendar import ZONES
from relance.engine.model import Invoice, Plan, Step
from relance.engine.plan_rules import PlanFault, fault_sentence, validate_plan

FORMAT = "relance-replay/1"
MAX_DAYS = 36_600
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_AMOUNT = re.compile(r"-?[0-9]{1,15}\.[0-9]{2}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_SHOWN = 60

CUSTOMER_EVENTS = frozenset({"credit", "contact", "assign", "exclude", "include"})
INVOICE_EVENTS = frozenset({"payment", "dispute", "resolve", "promise", "plan_off", "plan_on"})
EITHER_EVENTS = frozenset({"hold", "release", "mark", "level", "skip"})
PLAN_EVENTS = frozenset({"mark", "level", "skip"})
EXTRA_KEYS: Mapping[str, tuple[str, ...]] = {
    "payment": ("amount",),
    "credit": ("amount", "currency"),
    "promise": ("until",),
    "hold": ("until",),
    "level": ("level",),
    "assign": ("plan",),
}


class DocumentError(Exception):
    """A bad document: the JSON path of the fault and what is wrong there."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path} : {message}")
        self.path = path
        self.message = message


class CustomerRow(NamedTuple):
    """One customer as the document gives it."""

    id: str
    plan: str | None
    excluded: bool
    reachable: bool
    judgment: date | None


class Event(NamedTuple):
    """One event; the fields that its type does not have are None. Amounts in cents."""

    on: date
    type: str
    customer: str | None
    invoice: str | None
    amount: int
    currency: str
    until: date | None
    level: int
    plan: str | None


class Document(NamedTuple):
    """A replay document that has passed every check. ``runs``: the days with a run, in order, repeats kept."""

    first: date
    last: date
    runs: Sequence[date] | None
    zone: str
    tolerance: int
    by_hand_modes: frozenset[str]
    manual_lag: int
    plans: Mapping[str, Plan]
    customers: Mapping[str, CustomerRow]
    invoices: Sequence[tuple[str, Invoice]]  # with the id of their customer
    events: Sequence[Event]


class Twice(dict[str, Any]):
    """An object that names one key twice: JSON parsers differ on it, so it is refused."""

    key = ""


def parse_json(text: str) -> Any:
    """The JSON value of a text; raises DocumentError when it is not JSON."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise DocumentError("$", "le document est trop imbriqué") from None
    except json.JSONDecodeError as error:
        message = f"ce n’est pas du JSON (ligne {error.lineno}, colonne {error.colno})"
        raise DocumentError("$", message) from None
    except ValueError:
        raise DocumentError("$", "ce n’est pas du JSON (nombre impossible à lire)") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    twice = Twice(found)
    twice.key = next(key for key in keys if keys.count(key) > 1)
    return twice


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def shown(value: Any) -> str:
    """A faulty value on one short line, safe for any terminal."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


class Node:
    """One object of the document with its path: reads keys, checks their type, refuses the keys left over."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise DocumentError(path, f"un objet est attendu, pas {shown(value)}")
        if isinstance(value, Twice):
            raise DocumentError(f"{path}.{_key(value.key)}", "clé donnée deux fois")
        self.value, self.path = value, path

    def only(self, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Refuse unknown keys and the absence of required ones."""
        for key in self.value:
            if key not in required and key not in optional:
                raise DocumentError(self.at(key), "clé inconnue")
        for key in required:
            if key not in self.value:
                raise DocumentError(self.at(key), "clé obligatoire absente")

    def at(self, key: str) -> str:
        return f"{self.path}.{_key(key)}"

    def fail(self, key: str, message: str) -> NoReturn:
        raise DocumentError(self.at(key), message)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value.get(key, default)
        if not isinstance(value, str) or not value:
            self.fail(key, f"un texte est attendu, pas {shown(value)}")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            self.fail(key, "ce texte n’est pas de l’Unicode valide")
        return value

    def one_of(self, key: str, choices: Sequence[str], default: str | None = None) -> Any:
        value = self.value.get(key, default)
        if not isinstance(value, str) or value not in choices:
            self.fail(key, f"{shown(value)} n’est pas permis (possible : {', '.join(choices)})")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.value.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, f"true ou false est attendu, pas {shown(value)}")
        return value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.value.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(key, f"un nombre entier est attendu, pas {shown(value)}")
        if not low <= value <= high:
            self.fail(key, f"{shown(value)} n’est pas entre {low} et {high}")
        return value

    def day(self, key: str) -> date:
        return read_date(self.value.get(key), self.at(key))

    def cents(self, key: str, default: str | None = None, *, negative: bool = True) -> int:
        value = self.value.get(key, default)
        if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
            self.fail(key, f'un montant en texte à deux décimales est attendu ("120.00"), pas {shown(value)}')
        cents = int(value.replace(".", ""))
        if cents < 0 and not negative:
            self.fail(key, f"ce montant ne peut pas être négatif ({shown(value)})")
        return cents

    def currency(self, key: str) -> str:
        value = self.value.get(key, "EUR")
        if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
            self.fail(key, f"un code de devise de trois lettres est attendu, pas {shown(value)}")
        return value

    def items(self, key: str) -> Iterator[tuple[str, Any]]:
        """The members of a list with their paths."""
        value = self.value.get(key, [])
        if not isinstance(value, list):
            self.fail(key, f"une liste est attendue, pas {shown(value)}")
        for rank, item in enumerate(value):
            yield f"{self.at(key)}[{rank}]", item


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key, re.ASCII) else shown(key)


def read_date(value: Any, path: str) -> date:
    """A date as YYYY-MM-DD, nothing else; DocumentError otherwise."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise DocumentError(path, f"une date AAAA-MM-JJ est attendue, pas {shown(value)}")


def read_document(value: Any) -> Document:
    """The document, checked from end to end; raises DocumentError at the first fault."""
    root = Node(value, "$")
    root.only(("format", "from", "to", "organisation", "plans", "customers", "invoices"), ("run_on", "events"))
    root.one_of("format", (FORMAT,))
    first, last = root.day("from"), root.day("to")
    if last < first:
        root.fail("to", "la fin de la période précède son début")
    runs = read_runs(root, first, last)
    organisation = Node(root.value["organisation"], "$.organisation")
    organisation.only((), ("zone", "tolerance", "by_hand_modes", "manual_lag"))
    zone = organisation.one_of("zone", ZONES, "metropole")
    tolerance = organisation.cents("tolerance", "0.00", negative=False)
    by_hand_modes = read_modes(organisation)
    manual_lag = organisation.integer("manual_lag", 0, MAX_DAYS, 0)
    plans = read_plans(root)
    customers = read_customers(root, plans)
    invoices = read_invoices(root, customers)
    events = read_events(root, plans, customers, {invoice.number: owner for owner, invoice in invoices})
    return Document(
        first, last, runs, zone, tolerance, by_hand_modes, manual_lag, plans, customers, invoices, events
    )  # fmt: skip


def read_runs(root: Node, first: date, last: date) -> Sequence[date] | None:
    """The days with a run in order, or None for every day."""
    if root.value.get("run_on") is None:
        return None
    runs = []
    for path, value in root.items("run_on"):
        day = read_date(value, path)
        if not first <= day <= last:
            raise DocumentError(path, f"le {day} est hors de la période")
        runs.append(day)
    return sorted(runs)


def read_modes(organisation: Node) -> frozenset[str]:
    """Payment modes chased by hand only; direct debit when the key is left out."""
    if "by_hand_modes" not in organisation.value:
        return frozenset({"direct_debit"})
    modes = set()
    for path, mode in organisation.items("by_hand_modes"):
        if not isinstance(mode, str) or not mode:
            raise DocumentError(path, f"un texte est attendu, pas {shown(mode)}")
        modes.add(mode)
    return frozenset(modes)


def read_plans(root: Node) -> dict[str, Plan]:
    """The plans by id, refused when they break a rule of section 2."""
    plans: dict[str, Plan] = {}
    for path, value in root.items("plans"):
        node = Node(value, path)
        node.only(("id", "scope", "progression", "steps"), ("grouping", "min_contact_days", "minimum"))
        id_ = node.text("id")
        if id_ in plans:
            node.fail("id", f"le plan {shown(id_)} est donné deux fois")
        steps = [read_step(Node(step, step_path)) for step_path, step in node.items("steps")]
        plan = Plan(
            id=id_,
            scope=node.one_of("scope", ("customer", "invoice")),
            progression=node.one_of("progression", ("sequence", "age")),
            steps=tuple(sorted(steps, key=lambda step: step.level)),
            grouping=node.one_of("grouping", ("none", "customer"), "none"),
            min_contact_days=node.integer("min_contact_days", 0, 30, 5),
            minimum=node.cents("minimum", "0.00", negative=False),
        )
        for fault in validate_plan(plan._replace(steps=tuple(steps))):
            raise DocumentError(f"{path}.{where_in_plan(fault, steps)}", fault_sentence(fault))
        plans[id_] = plan
    return plans


def where_in_plan(fault: PlanFault, steps: Sequence[Step]) -> str:
    """The path of a fault inside its plan, whatever the order in which the steps are given."""
    levels = [step.level for step in steps]
    if fault.code == "LEVELS_NOT_IN_ORDER":
        wrong = (rank for rank, level in enumerate(levels) if level > len(levels) or level in levels[:rank])
        return f"steps[{next(wrong, 0)}].level"
    return fault.field if fault.level is None else f"steps[{levels.index(fault.level)}].{fault.field}"


def read_step(node: Node) -> Step:
    """One step; ``days`` within a century so that every date can be computed."""
    node.only(("level", "from", "days", "channel", "automatic"), ("repeat_every",))
    repeat = node.value.get("repeat_every")
    level = node.integer("level", 1, 1000)
    return Step(
        level=level,
        name=str(level),
        anchor=node.one_of("from", ("due", "issue", "due_month_end", "previous")),
        days=node.integer("days", -MAX_DAYS, MAX_DAYS),
        channel=node.one_of("channel", ("email", "letter", "registered_letter", "sms", "call", "task")),
        automatic=node.flag("automatic"),
        repeat_every=None if repeat is None else node.integer("repeat_every", 1, MAX_DAYS),
    )


def read_customers(root: Node, plans: Mapping[str, Plan]) -> dict[str, CustomerRow]:
    """The customers by id."""
    customers: dict[str, CustomerRow] = {}
    for path, value in root.items("customers"):
        node = Node(value, path)
        node.only(("id",), ("plan", "excluded", "reachable", "judgment"))
        id_ = node.text("id")
        if id_ in customers:
            node.fail("id", f"le client {shown(id_)} est donné deux fois")
        customers[id_] = CustomerRow(
            id=id_,
            plan=read_plan_id(node, plans),
            excluded=node.flag("excluded"),
            reachable=node.flag("reachable", default=True),
            judgment=None if node.value.get("judgment") is None else node.day("judgment"),
        )
    return customers


def read_plan_id(node: Node, plans: Mapping[str, Plan]) -> str | None:
    """The ``plan`` of a customer or of an ``assign``: an existing plan or null."""
    if node.value.get("plan") is None:
        return None
    id_ = node.text("plan")
    if id_ not in plans:
        node.fail("plan", f"le plan {shown(id_)} n’existe pas")
    return id_


def read_invoices(root: Node, customers: Mapping[str, CustomerRow]) -> list[tuple[str, Invoice]]:
    """The invoices, each with the id of its customer."""
    invoices: list[tuple[str, Invoice]] = []
    seen: set[str] = set()
    for path, value in root.items("invoices"):
        node = Node(value, path)
        node.only(("id", "customer", "issued", "due", "total"), ("currency", "mode"))
        id_, owner = node.text("id"), node.text("customer")
        if id_ in seen:
            node.fail("id", f"la facture {shown(id_)} est donnée deux fois")
        if owner not in customers:
            node.fail("customer", f"le client {shown(owner)} n’existe pas")
        seen.add(id_)
        total = node.cents("total")
        mode = node.text("mode", "transfer")
        invoice = Invoice(id_, id_, node.day("issued"), node.day("due"), total, total, node.currency("currency"), mode)
        invoices.append((owner, invoice))
    return invoices


def read_events(
    root: Node, plans: Mapping[str, Plan], customers: Mapping[str, CustomerRow], owners: Mapping[str, str]
) -> list[Event]:
    """The events in the order of the list.

    Whether a mark, level or skip fits is judged on the plan of the customer after the events listed before it.
    """
    assigned = {id_: row.plan for id_, row in customers.items()}
    events = []
    for path, value in root.items("events"):
        node = Node(value, path)
        event = read_event(node, plans, customers, owners)
        if event.type == "assign" and event.customer is not None:
            assigned[event.customer] = event.plan
        elif event.type in PLAN_EVENTS:
            owner = event.customer if event.customer is not None else owners[str(event.invoice)]
            check_fits(node, event, plans, assigned[owner])
        events.append(event)
    return events


def read_event(
    node: Node, plans: Mapping[str, Plan], customers: Mapping[str, CustomerRow], owners: Mapping[str, str]
) -> Event:
    """One event with its own keys, about a customer or an invoice that exists."""
    if "type" not in node.value:
        node.fail("type", "clé obligatoire absente")
    kind = node.one_of("type", sorted(CUSTOMER_EVENTS | INVOICE_EVENTS | EITHER_EVENTS))
    subject = event_subject(node, kind)
    extra = EXTRA_KEYS.get(kind, ())
    node.only(
        ["on", "type", subject, *(key for key in extra if key != "currency")],
        [key for key in extra if key == "currency"],
    )
    id_ = node.text(subject)
    if id_ not in (customers if subject == "customer" else owners):
        what = "le client" if subject == "customer" else "la facture"
        node.fail(subject, f"{what} {shown(id_)} n’existe pas")
    return Event(
        on=node.day("on"),
        type=kind,
        customer=id_ if subject == "customer" else None,
        invoice=id_ if subject == "invoice" else None,
        amount=node.cents("amount") if "amount" in extra else 0,
        currency=node.currency("currency") if "currency" in extra else "EUR",
        until=node.day("until") if "until" in extra else None,
        level=node.integer("level", 0, 1000) if "level" in extra else 0,
        plan=read_plan_id(node, plans) if "plan" in extra else None,
    )


def event_subject(node: Node, kind: str) -> str:
    """Whether an event is about a customer or an invoice: never both, never neither."""
    if kind in CUSTOMER_EVENTS:
        return "customer"
    if kind in INVOICE_EVENTS:
        return "invoice"
    if "customer" in node.value and "invoice" in node.value:
        node.fail("invoice", "un client ou une facture, pas les deux")
    return "invoice" if "invoice" in node.value else "customer"


def check_fits(node: Node, event: Event, plans: Mapping[str, Plan], plan_id: str | None) -> None:
    """A mark, level or skip: on a customer in customer scope, on an invoice in invoice scope, up to the last level."""
    subject = "invoice" if event.invoice is not None else "customer"
    if plan_id is None:
        node.fail(subject, "ce client n’a pas de plan de relance à cette date")
    plan = plans[plan_id]
    if plan.scope != subject:
        scope = "par client" if plan.scope == "customer" else "par facture"
        node.fail(subject, f"le plan {shown(plan_id)} est {scope}")
    if event.level > len(plan.steps):
        node.fail("level", f"le plan {shown(plan_id)} n’a que {len(plan.steps)} niveaux")

"""Which plan a customer gets by what he is: ordered rules, the first that fits wins.

A rule is a plan and conditions that must all hold; one without conditions fits everybody. Each
becomes a part of one SQL question, so that two hundred thousand customers cost as many queries as
ten. What a person chose, by hand or by a file, is never changed here.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import compress
from typing import Any, NamedTuple, TypedDict

from django.db import transaction
from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.utils.translation import gettext as _

from relance.accounts.bulk import upsert_many
from relance.accounts.models import Organisation, User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts.levels_shown import follow_plan
from relance.dunning.models import Assignment, Plan, PlanRule
from relance.dunning.services.common import Refused
from relance.formats.text import fold
from relance.history import services as history
from relance.history.models import Event
from relance.history.services import Fact
from relance.ledger.models import Contact, Customer, Invoice

CHOSEN = ("hand",)
"""`Assignment.given_by` of a person’s choice, one by one or by a file: no rule changes it."""
MAX_RULES = 100
CHUNK = 2_000
LOOK_AT = 2_000
"""Customers looked at again at once after their plan changed; the next pass sees to the others."""
FIELDS = (
    "code",
    "name",
    "postcode",
    "city",
    "country",
    "regime",
    "language",
    "manager",
    "mode",
    "contact",
    "balance",
)


class Condition(TypedDict):
    """`op` is starts, contains, is, at_least or below; `value` a list of texts, a text or cents."""

    field: str
    op: str
    value: Any


class Fit(NamedTuple):
    """What one rule does: how many customers it gives its plan to, and how many would change."""

    gives: int
    changes: int


class Applied(NamedTuple):
    """What applying the rules did: customers whose plan changed, and those left alone."""

    changed: int
    kept: int


# --- one rule as a question to the database -----------------------------------------


def condition_q(organisation: Organisation, condition: Condition) -> Q:
    """One condition on a customer. KeyError for a field that is none."""
    return _QUESTIONS[condition["field"]](organisation, condition)


def rule_q(organisation: Organisation, conditions: Iterable[Condition]) -> Q:
    """All the conditions of a rule; without any, every customer of the organisation."""
    asked = Q(organisation=organisation)
    for condition in conditions:
        asked &= condition_q(organisation, condition)
    return asked


def _any_of(lookup: str, values: Iterable[str]) -> Q:
    asked = Q(pk__in=[])
    for value in values:
        asked |= Q(**{lookup: value})
    return asked


def _code(_organisation: Organisation, condition: Condition) -> Q:
    return _any_of("code__istartswith", condition["value"])


def _name(_organisation: Organisation, condition: Condition) -> Q:
    return _any_of("search__contains", [fold(value) for value in condition["value"]])


def _city(_organisation: Organisation, condition: Condition) -> Q:
    """SQLite folds the case of plain letters only: the usual spellings are asked as well."""
    values = condition["value"]
    spelt = {way(value) for value in values for way in (str.upper, str.lower, str.title)}
    return _any_of("city__iexact", values) | Q(city__in=sorted(spelt))


_CORSICA = {"2A": ("200", "201"), "2B": ("202", "206")}


def _postcode(_organisation: Organisation, condition: Condition) -> Q:
    """A postcode, its beginning, or a département; those of Corsica are 2A and 2B."""
    starts = [
        start
        for value in condition["value"]
        for start in _CORSICA.get(value.upper(), (value.replace(" ", ""),))
    ]
    return _any_of("postcode__startswith", starts)


def _country(_organisation: Organisation, condition: Condition) -> Q:
    return Q(country__in=[value.upper() for value in condition["value"]])


def _regime(_organisation: Organisation, condition: Condition) -> Q:
    return Q(regime=condition["value"])


def _language(_organisation: Organisation, condition: Condition) -> Q:
    return Q(language=condition["value"])


def _manager(_organisation: Organisation, condition: Condition) -> Q:
    """A user's id, or 0 for customers without a manager."""
    key = int(condition["value"])
    return Q(manager_id=key) if key else Q(manager__isnull=True)


def _mode(organisation: Organisation, condition: Condition) -> Q:
    """An open invoice is to be paid in this way."""
    paid_so = Invoice.objects.filter(
        organisation=organisation, balance_cents__gt=0, mode=condition["value"]
    )
    return Q(pk__in=paid_so.values("customer_id"))


def _contact(organisation: Organisation, condition: Condition) -> Q:
    """Somebody can be written to: the customer's own address, or that of a contact."""
    people = Contact.objects.filter(organisation=organisation, invalid_since__isnull=True)
    own = ~Q(email="") & Q(email_invalid_since__isnull=True)
    reached = own | Q(pk__in=people.exclude(email="").values("customer_id"))
    return reached if condition["value"] == "present" else ~reached


def _balance(organisation: Organisation, condition: Condition) -> Q:
    """What is owed in euros, in cents: at least the value, or less than it."""
    owing = (
        Invoice.objects.filter(organisation=organisation, balance_cents__gt=0, currency="EUR")
        .values("customer_id")
        .annotate(owed=Sum("balance_cents"))
        .filter(owed__gte=int(condition["value"]))
        .values("customer_id")
    )
    return Q(pk__in=owing) if condition["op"] == "at_least" else ~Q(pk__in=owing)


_QUESTIONS = {
    "code": _code,
    "name": _name,
    "city": _city,
    "postcode": _postcode,
    "country": _country,
    "regime": _regime,
    "language": _language,
    "manager": _manager,
    "mode": _mode,
    "contact": _contact,
    "balance": _balance,
}


# --- who gets what -------------------------------------------------------------------


def rules_of(organisation: Organisation) -> list[PlanRule]:
    """The rules in their order, each with its plan."""
    rules = PlanRule.objects.filter(organisation=organisation)
    return list(rules.select_related("plan").order_by("position", "pk"))


def sorted_customers(organisation: Organisation, rules: Sequence[PlanRule]) -> "QuerySet[Any]":
    """Every customer with `fits`: the place in `rules` of the first that fits, or None.

    A place and not a key, so that a rule that is not saved yet can be tried.
    """
    cases = [
        When(rule_q(organisation, rule.conditions), then=Value(place))
        for place, rule in enumerate(rules)
    ]
    if not cases:
        first: Any = Value(None, output_field=IntegerField())
    else:
        first = Case(*cases, default=None, output_field=IntegerField())
    return Customer.objects.filter(organisation=organisation).annotate(fits=first)


def left_alone(organisation: Organisation) -> Q:
    """Customers whose plan, or whose want of one, is somebody's choice."""
    taken_away = Event.objects.filter(
        organisation=organisation,
        customer_id=OuterRef("pk"),
        kind="plan_assigned",
        data__plan_id=None,
    )
    return Q(assignment__given_by__in=CHOSEN) | Q(
        Q(assignment__isnull=True) & Q(Exists(taken_away))
    )


def fits(organisation: Organisation, rules: Sequence[PlanRule]) -> list[Fit]:
    """For each rule, how many customers it is the first to fit and how many would change plan."""
    counts = [Fit(0, 0) for _rule in rules]
    if not rules:
        return counts
    open_to_rules = sorted_customers(organisation, rules).exclude(left_alone(organisation))
    found = (
        open_to_rules.filter(fits__isnull=False)
        .order_by()
        .values_list("fits", "assignment__plan_id")
        .annotate(Count("pk"))
    )
    for place, plan, count in found:
        known = counts[place]
        moves = count if plan != rules[place].plan_id else 0
        counts[place] = Fit(known.gives + count, known.changes + moves)
    return counts


def given_by_rule(
    organisation: Organisation, rules: Sequence[PlanRule], place: int
) -> "QuerySet[Any]":
    """The customers whom the rule at `place` gives its plan, by name, with their present one."""
    return (
        sorted_customers(organisation, rules)
        .filter(fits=place)
        .exclude(left_alone(organisation))
        .select_related("assignment__plan")
        .order_by("name", "pk")
    )


def kept_by_hand(organisation: Organisation) -> QuerySet[Customer]:
    """The customers whom no rule touches, for a person chose."""
    return (
        Customer.objects.filter(left_alone(organisation), organisation=organisation)
        .select_related("assignment__plan")
        .order_by("name", "pk")
    )


def with_new(rules: Sequence[PlanRule], rule: PlanRule) -> tuple[list[PlanRule], int]:
    """The rules as they would be with this one saved, and its place among them."""
    if rule.pk is not None:
        same = [rule if one.pk == rule.pk else one for one in rules]
        return same, next(place for place, one in enumerate(rules) if one.pk == rule.pk)
    place = len(rules)
    if rule.conditions and rules and not rules[-1].conditions:
        place -= 1  # the one for all the others stays last
    return [*rules[:place], rule, *rules[place:]], place


def apply_rules(
    organisation: Organisation, *, actor: User | None, on: date, now: datetime
) -> Applied:
    """Give every customer the plan of the first rule that fits; hand choices stay.

    A customer whom no rule fits keeps what he has. Written `CHUNK` customers at a time, so that
    nobody waits long for the database; broken off, it is simply applied again. At most `LOOK_AT`
    of those whose plan changed are looked at again now.
    """
    rules = rules_of(organisation)
    wanted = _wanted(organisation, rules)
    changed: list[int] = []
    for start in range(0, len(wanted), CHUNK):
        some = wanted[start : start + CHUNK]
        with transaction.atomic():
            some = _still_open(organisation, some)
            _write(organisation, rules, some)
            told = [_given(rules[one.place], one.customer, actor, on, now) for one in some]
            changes = [one.changes for one in some]
            history.append(organisation, compress(told, changes))
        changed += [one.customer for one in some if one.changes]
    kept = Customer.objects.filter(left_alone(organisation), organisation=organisation).count()
    total = {"changed": len(changed), "kept": kept}
    history.append(organisation, [Fact("plan_rules_applied", now, on, data=total, actor=actor)])
    refresh(organisation, changed[:LOOK_AT], on=on, now=now)
    return Applied(len(changed), kept)


def _still_open(organisation: Organisation, some: Sequence["_Wanted"]) -> list["_Wanted"]:
    """Without those whose plan a person chose while the others were being written."""
    ids = [one.customer for one in some]
    chosen = Customer.objects.filter(left_alone(organisation), pk__in=ids)
    alone = set(chosen.values_list("pk", flat=True))
    return [one for one in some if one.customer not in alone]


def _given(rule: PlanRule, customer: int, actor: User | None, on: date, now: datetime) -> Fact:
    data = {"plan_id": rule.plan_id, "plan": rule.plan.name, "rule": rule.position}
    return Fact("plan_assigned", now, on, customer, data=data, actor=actor)


def give_to_new(organisation: Organisation, customers: Sequence[int]) -> None:
    """Customers that an import brought: the first rule that fits, else the default plan.

    The journal keeps one line per import and none per customer: the assignment says where from.
    """
    if not customers:
        return
    rules = rules_of(organisation)
    _write(organisation, rules, _wanted(organisation, rules, customers))
    default = Plan.objects.filter(organisation=organisation, is_default=True).first()
    if default is None:
        return
    without = Customer.objects.filter(
        organisation=organisation, id__in=customers, to_review=False, assignment__isnull=True
    )
    Assignment.objects.bulk_create(
        [
            Assignment(organisation=organisation, customer_id=key, plan=default, given_by="import")
            for key in without.values_list("id", flat=True)
        ],
        batch_size=2000,
    )


class _Wanted(NamedTuple):
    """A customer whose assignment is to be written; `changes`: to another plan than he has."""

    customer: int
    place: int
    changes: bool


def _wanted(
    organisation: Organisation, rules: Sequence[PlanRule], customers: Sequence[int] | None = None
) -> list[_Wanted]:
    """What the rules would write, of all customers or of some.

    Those that a FEC brought have their plan too: nothing leaves before they are reviewed.
    """
    if not rules:
        return []
    asked = sorted_customers(organisation, rules).filter(fits__isnull=False)
    asked = asked.exclude(left_alone(organisation))
    if customers is not None:
        asked = asked.filter(pk__in=customers)
    rows = asked.values_list("pk", "fits", "assignment__plan_id", "assignment__rule_id")
    return [
        _Wanted(customer, place, plan != rules[place].plan_id)
        for customer, place, plan, rule in rows.order_by("pk")
        if (plan, rule) != (rules[place].plan_id, rules[place].pk)
    ]


def _write(
    organisation: Organisation, rules: Sequence[PlanRule], wanted: Sequence[_Wanted]
) -> None:
    """Give the plans, and show the levels that count under them."""
    rows = [
        Assignment(
            organisation=organisation,
            customer_id=one.customer,
            plan_id=rules[one.place].plan_id,
            given_by="rule",
            rule_id=rules[one.place].pk,
        )
        for one in wanted
    ]
    upsert_many(Assignment, rows, unique="customer", update=["plan", "given_by", "rule"])
    for place in sorted({one.place for one in wanted if one.changes}):
        moved = [one.customer for one in wanted if one.changes and one.place == place]
        follow_plan(organisation, moved, rules[place].plan)


# --- the rules themselves -------------------------------------------------------------


@transaction.atomic
def save_rule(
    rule: PlanRule,
    *,
    plan: Plan,
    conditions: Sequence[Condition],
    actor: User,
    on: date,
    now: datetime,
) -> PlanRule:
    """Store a rule, new ones at the end. It gives nothing until the rules are applied.

    Refused above `MAX_RULES`. A last rule without conditions, for all the others, stays last.
    """
    organisation = plan.organisation
    others = [one for one in rules_of(organisation) if one.pk != rule.pk]
    if len(others) >= MAX_RULES:
        raise Refused(_("Cent règles au plus\u00a0: réunissez-en quelques-unes."), "TOO_MANY")
    new = rule.pk is None
    rule.organisation, rule.plan, rule.conditions = organisation, plan, list(conditions)
    order, place = with_new(rules_of(organisation), rule)
    rule.position = place + 1
    rule.save()
    _number(organisation, order)
    rule.refresh_from_db()
    _tell(rule, "added" if new else "saved", actor=actor, on=on, now=now)
    return rule


@transaction.atomic
def move_rule(rule: PlanRule, *, up: bool, actor: User, on: date, now: datetime) -> None:
    """Exchange a rule with the one before it, or the one after it; at the end nothing moves."""
    rules = rules_of(rule.organisation)
    here = next(place for place, one in enumerate(rules) if one.pk == rule.pk)
    there = here - 1 if up else here + 1
    if not 0 <= there < len(rules):
        return
    rules[here], rules[there] = rules[there], rules[here]
    _number(rule.organisation, rules)
    rule.refresh_from_db()
    _tell(rule, "moved", actor=actor, on=on, now=now)


@transaction.atomic
def delete_rule(rule: PlanRule, *, actor: User, on: date, now: datetime) -> None:
    """Remove a rule; those it gave a plan keep it."""
    _tell(rule, "deleted", actor=actor, on=on, now=now)
    organisation = rule.organisation
    rule.delete()
    _number(organisation)


def _number(organisation: Organisation, rules: Sequence[PlanRule] | None = None) -> None:
    """Positions 1..n in the order given, or in their own."""
    stored = dict(PlanRule.objects.filter(organisation=organisation).values_list("pk", "position"))
    for position, rule in enumerate(rules or rules_of(organisation), 1):
        if stored[rule.pk] != position:
            PlanRule.objects.filter(pk=rule.pk).update(position=position)


def _tell(rule: PlanRule, deed: str, *, actor: User, on: date, now: datetime) -> None:
    data = {
        "deed": deed,
        "rule_id": rule.pk,
        "position": rule.position,
        "plan": rule.plan.name,
        "conditions": list(rule.conditions),
    }
    history.append(rule.organisation, [Fact("plan_rule", now, on, data=data, actor=actor)])

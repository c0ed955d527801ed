"""Accounts and rules: what those who manage the bank decide (R3)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.bank.models import BankAccount, BankRule, Transaction
from relance.bank.services.errors import BankRefused
from relance.bank.services.links import fits_anything
from relance.bank.services.state import renew
from relance.formats.text import fold
from relance.history.services import Fact, append

CHUNK = 2000


@transaction.atomic
def name_account(
    account: BankAccount, *, name: str, closed: bool, actor: User, on: date, now: datetime
) -> None:
    """Give an account the name that people know it by; a closed one is offered no more."""
    account.name, account.closed = " ".join(name.split())[:80], closed
    account.save(update_fields=["name", "closed"])
    data = {"account": account.number, "name": account.name, "closed": closed}
    append(account.organisation, [Fact("bank_account", now, on, data=data, actor=actor)])


class RuleValues(NamedTuple):
    """Conditions that hold together; amounts are absolute cents, both included."""

    effect: str
    words: str = ""
    account: BankAccount | None = None
    least_cents: int | None = None
    most_cents: int | None = None


@transaction.atomic
def save_rule(
    organisation: Organisation,
    values: RuleValues,
    *,
    rule: BankRule | None = None,
    actor: User,
    on: date,
    now: datetime,
) -> BankRule:
    """Add a rule at the end, or change one. BankRefused when it names no condition at all."""
    if not (values.words.strip() or values.account or values.least_cents or values.most_cents):
        raise BankRefused(
            _("Donnez au moins une condition\u00a0: des mots, un compte ou un montant.")
        )
    least, most = values.least_cents, values.most_cents
    if least is not None and most is not None and least > most:
        raise BankRefused(_("Le montant minimum dépasse le maximum."))
    one = rule or BankRule(organisation=organisation, position=_next(organisation))
    one.effect, one.words = values.effect, " ".join(values.words.split())[:120]
    one.account, one.least_cents, one.most_cents = values.account, least, most
    one.save()
    data = {"words": one.words, "effect": one.effect, "rule": one.position}
    append(organisation, [Fact("bank_rule", now, on, data=data, actor=actor)])
    return one


def _next(organisation: Organisation) -> int:
    rules = BankRule.objects.filter(organisation=organisation)
    return (rules.aggregate(last=Max("position"))["last"] or 0) + 1


@transaction.atomic
def delete_rule(rule: BankRule, *, actor: User, on: date, now: datetime) -> int:
    """What it waived is asked for again; how many transactions that is."""
    rows = list(Transaction.objects.filter(rule=rule).values_list("pk", flat=True))
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        Transaction.objects.filter(pk__in=part).update(waiver="", rule=None)
    data = {"words": rule.words, "effect": rule.effect, "rule": rule.position, "deleted": True}
    append(rule.organisation, [Fact("bank_rule", now, on, data=data, actor=actor)])
    rule.delete()
    renew(rows)
    return len(rows)


@transaction.atomic
def move_rule(rule: BankRule, *, way: Literal["up", "down"]) -> None:
    """Exchange it with the rule before or after it: the first that fits decides."""
    others = BankRule.objects.filter(organisation=rule.organisation)
    before = others.filter(position__lt=rule.position).order_by("-position").first()
    after = others.filter(position__gt=rule.position).order_by("position").first()
    other = before if way == "up" else after
    if other is not None:
        rule.position, other.position = other.position, rule.position
        rule.save(update_fields=["position"])
        other.save(update_fields=["position"])


def fitting(rules: Sequence[BankRule], organisation: Organisation) -> dict[int, int]:
    """How many transactions *À valider* each rule would waive, the first that fits; by rule.

    Counted by the database, as `links.fits` decides it.
    """
    rows = Transaction.objects.filter(organisation=organisation, waiver="").exclude(missing="")
    counts = {}
    for rule in rules:
        wanted = _wanted(rule)
        counts[rule.pk] = rows.filter(wanted).count()
        rows = rows.exclude(wanted)
    return counts


def _wanted(rule: BankRule) -> Q:
    """The conditions of a rule; amounts are absolute."""
    wanted = Q()
    if rule.words:
        wanted &= Q(search__contains=fold(rule.words))
    if rule.account_id is not None:
        wanted &= Q(account_id=rule.account_id)
    if rule.least_cents is not None:
        wanted &= Q(amount_cents__gte=rule.least_cents) | Q(amount_cents__lte=-rule.least_cents)
    if rule.most_cents is not None:
        wanted &= Q(amount_cents__range=(-rule.most_cents, rule.most_cents))
    return wanted if fits_anything(rule) else Q(pk__in=[])

"""Which customers a ledger holds, and what each leaves open at closing.

Lines of the customer accounts are grouped by (customer, letter): no letter is open, a
letter that balances is closed, and a letter that does not keeps its residual as open,
for its other leg is in another year's file or the lettering is partial.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from relance.formats.fec_model import ChaseBar, FecCustomer, FecItem, FecLine
from relance.formats.text import fold
from relance.formats.values import Terms

CUSTOMER_ACCOUNTS = ("410", "411")
DOUBTFUL_ACCOUNTS = ("416",)
"""Shown, never chased: someone already decided these are in doubt."""

_GENERIC = re.compile(
    r"\b(?:attente|divers|recettes?|especes?|comptant|comptoir|caisse|passage|"
    r"cb|cartes?|tpe|cheques?|virements?|internet|anonymes?)\b"
)
_OPENING_CODES = {"an", "ano", "anx", "anouv", "ran", "a nouveau", "a nouveaux"}
_OPENING_WORDS = re.compile(r"\b(?:a nouveaux?|reports? a nouveau|solde initial)\b")


class FecFound(NamedTuple):
    """The customers, and the sums in cents that the control totals show."""

    customers: tuple[FecCustomer, ...]
    unlettered_cents: int
    unbalanced_cents: int
    excluded_cents: dict[str, int]


def customers_of(
    lines: Iterable[FecLine], terms: Terms, customer_terms: Mapping[str, Terms]
) -> FecFound:
    """The customers of the 41 lines in order of balance, greatest debt first.

    Accounts other than customers (410, 411) and doubtful ones (416) are left out and only
    summed: bills receivable 413, unbilled 418, credit balances 419 and the rest.
    """
    by_customer: dict[str, list[FecLine]] = {}
    excluded: dict[str, int] = {}
    for line in lines:
        if line.account.startswith(CUSTOMER_ACCOUNTS + DOUBTFUL_ACCOUNTS):
            by_customer.setdefault(customer_key(line), []).append(line)
        else:
            prefix = line.account[:3]
            excluded[prefix] = excluded.get(prefix, 0) + line.cents
    numbers: dict[str, int] = {}
    customers = [
        _customer(key, own, customer_terms.get(key, terms), numbers)
        for key, own in by_customer.items()
    ]
    items = [item for customer in customers for item in customer.items]
    return FecFound(
        customers=tuple(sorted(customers, key=lambda c: (-c.balance_cents, c.key))),
        unlettered_cents=sum(item.left_cents for item in items if not item.letter),
        unbalanced_cents=sum(item.left_cents for item in items if item.letter),
        excluded_cents=excluded,
    )


def customer_key(line: FecLine) -> str:
    """The auxiliary number, else the account itself; doubtful accounts stand apart."""
    key = line.aux or line.account
    return f"{key} (416)" if line.account.startswith(DOUBTFUL_ACCOUNTS) else key


def is_generic(line: FecLine) -> bool:
    """A pot rather than a person: a collective account, or a name such as "Client divers"
    or "Recette CB".
    """
    name = fold(line.aux_name or line.account_name)
    if _GENERIC.search(name):
        return True
    if line.aux:
        return False
    return line.account[3:].isdigit() and (not line.account[3:].strip("0") or name[:6] == "client")


def due_date(issue_on: dt.date, terms: Terms) -> dt.date:
    """The estimated due date: so many calendar days later, then the end of that month."""
    due = issue_on + dt.timedelta(days=terms.days)
    if terms.end_of_month:
        due = due.replace(day=calendar.monthrange(due.year, due.month)[1])
    return due


def _customer(key: str, lines: list[FecLine], terms: Terms, numbers: dict[str, int]) -> FecCustomer:
    groups: dict[str, list[FecLine]] = {}
    items: list[FecItem] = []
    for line in lines:
        if line.letter:
            groups.setdefault(line.letter, []).append(line)
        elif line.cents:
            items.append(_single(key, line, terms, numbers))
    closed = 0
    for letter, group in groups.items():
        if sum(line.cents for line in group) == 0:
            closed += 1
        else:
            items.append(_residual(key, letter, group, terms, numbers))
    balance = sum(line.cents for line in lines)
    last = lines[-1]
    named = next((line for line in lines if line.aux_name), last)
    return FecCustomer(
        key=key,
        code=last.aux or last.account,
        name=named.aux_name or last.account_name or last.aux or last.account,
        account=last.account,
        lines=len(lines),
        balance_cents=balance,
        closed_groups=closed,
        unbalanced_groups=len(groups) - closed,
        items=tuple(sorted(items, key=lambda item: (item.issue_on, item.lines))),
        bars=_bars(named, balance),
    )


def _bars(line: FecLine, balance_cents: int) -> tuple[ChaseBar, ...]:
    bars: list[ChaseBar] = []
    if is_generic(line):
        bars.append("generic_account")
    if line.account.startswith(DOUBTFUL_ACCOUNTS):
        bars.append("doubtful_account")
    if balance_cents <= 0:
        bars.append("nothing_owed")
    return tuple(bars)


def _single(key: str, line: FecLine, terms: Terms, numbers: dict[str, int]) -> FecItem:
    opening = _is_opening(line)
    issue = line.piece_on or line.entry_on
    return FecItem(
        customer_key=key,
        kind="opening" if opening else "invoice" if line.cents > 0 else "payment",
        reason="opening_balance" if opening else "no_letter",
        number=_number(line, key, opening, numbers),
        label=line.label,
        issue_on=issue,
        due_on=due_date(issue, terms),
        total_cents=abs(line.cents),
        left_cents=line.cents,
        letter="",
        checked=not opening and line.cents > 0,
        lines=(line.line,),
    )


def _is_opening(line: FecLine) -> bool:
    codes = {fold(line.journal), fold(line.piece)}
    return not codes.isdisjoint(_OPENING_CODES) or bool(_OPENING_WORDS.search(fold(line.label)))


def _residual(
    key: str, letter: str, group: list[FecLine], terms: Terms, numbers: dict[str, int]
) -> FecItem:
    """What a letter leaves; it bears the number and date of its last invoice, if any."""
    left = sum(line.cents for line in group)
    debits = [line for line in group if line.cents > 0]
    main = max(debits or group, key=lambda line: (line.piece_on or line.entry_on, line.line))
    issue = main.piece_on or main.entry_on
    return FecItem(
        customer_key=key,
        kind="residual",
        reason="letter_partial" if letter.islower() else "letter_unbalanced",
        number=_number(main, key, False, numbers),
        label=main.label,
        issue_on=issue,
        due_on=due_date(issue, terms),
        total_cents=max(abs(left), sum(line.cents for line in debits)),
        left_cents=left,
        letter=letter,
        checked=False,
        lines=tuple(line.line for line in group),
    )


def _number(line: FecLine, key: str, opening: bool, numbers: dict[str, int]) -> str:
    """The piece reference, made unique in the file; an opening names its customer and year."""
    base = f"AN-{key}-{line.entry_on.year}" if opening else line.piece or f"{line.entry}-{key}"
    base = base[:60]
    times = numbers.get(base, 0) + 1
    numbers[base] = times
    return base if times == 1 else f"{base}-{times}"

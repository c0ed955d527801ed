"""Which open invoices a credit of the bank pays: proposals with their reason, automatic only when nothing is left
to doubt (formats D4: an exact reference and the exact amount).

Amounts in cents. The book is made once for a statement; each movement is then looked up in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

Id = int
MOST_TOKENS = 6
"""An invoice number is written in at most so many pieces ("FA 2026 11 0042")."""
LEAST_DIGITS = 4
MOST_INVOICES = 6
MOST_CANDIDATES = 24
"""Sums are sought among so many of the payer's oldest invoices at most: 190 000 combinations."""
TOLERANCE = 5
"""Cents by which a proposal may differ from what is owed."""


class Due(NamedTuple):
    """An open invoice: ``balance`` in cents, ``order`` sorts the oldest due first."""

    id: Id
    customer: Id
    number: str
    balance: int
    currency: str
    order: str


class Credit(NamedTuple):
    """Money that came in: ``amount`` > 0; ``reference`` structured, ``label`` free words."""

    amount: int
    currency: str
    label: str
    reference: str = ""
    name: str = ""
    iban: str = ""


class Share(NamedTuple):
    """``amount`` cents of the credit for one invoice."""

    invoice: Id
    amount: int


class Match(NamedTuple):
    """A proposal. ``left`` cents of the credit stay unapplied; ``code`` says on what it rests:

    REFERENCE (numbers and amount exact), REFERENCE_PART, REFERENCE_OVER, AMOUNT (of a known payer), SUM, NEAR.
    """

    code: str
    customer: Id
    shares: tuple[Share, ...]
    left: int = 0
    automatic: bool = False


class Book(NamedTuple):
    """Open invoices and known payers, by what is sought in a movement."""

    by_number: Mapping[str, tuple[Due, ...]]
    by_customer: Mapping[Id, tuple[Due, ...]]
    payers: Mapping[str, frozenset[Id]]


def open_book(dues: Iterable[Due], ibans: Mapping[str, Id], names: Iterable[tuple[Id, str]]) -> Book:
    """Index the open invoices; ``ibans`` and ``names`` are those that are known to be a customer's."""
    by_number: dict[str, list[Due]] = {}
    by_customer: dict[Id, list[Due]] = {}
    for due in sorted(dues, key=lambda one: (one.order, one.id)):
        by_customer.setdefault(due.customer, []).append(due)
        for key in {compact(due.number), without_zeros(due.number)}:
            if sum(sign.isdigit() for sign in key) >= LEAST_DIGITS:
                by_number.setdefault(key, []).append(due)
    payers: dict[str, set[Id]] = {}
    for iban, customer in ibans.items():
        payers.setdefault(compact(iban), set()).add(customer)
    for customer, name in names:
        if len(compact(name)) >= 3:
            payers.setdefault(compact(name), set()).add(customer)
    return Book(
        {key: tuple(found) for key, found in by_number.items()},
        {key: tuple(found) for key, found in by_customer.items()},
        {key: frozenset(found) for key, found in payers.items()},
    )


def matches(credit: Credit, book: Book) -> list[Match]:
    """Proposals, the surest first; the first is automatic only when it alone is exact in reference and amount."""
    if credit.amount <= 0:
        return []
    named = _named(credit, book)
    found = list(_by_reference(credit, named))
    payer = _payer(credit, book, named)
    if payer is not None and not any(match.automatic for match in found):
        found += _by_amount(credit, payer, book.by_customer.get(payer, ()))
    seen: dict[tuple[Share, ...], Match] = {}
    for match in found:
        seen.setdefault(match.shares, match)
    kept = list(seen.values())
    if sum(match.automatic for match in kept) > 1:  # a tie is a person's to decide
        kept = [match._replace(automatic=False) for match in kept]
    return kept


def compact(text: str) -> str:
    """Letters and digits only, without accents, in capitals."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Z0-9]", "", plain.upper())


def without_zeros(text: str) -> str:
    """As ``compact``, each run of digits without its leading zeros."""
    pieces = re.findall(r"[A-Z]+|[0-9]+", _spaced(text))
    return "".join((piece.lstrip("0") or "0") if piece.isdigit() else piece for piece in pieces)


def _spaced(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Z0-9]+", " ", plain.upper()).strip()


def _named(credit: Credit, book: Book) -> list[Due]:
    """Open invoices in the credit's currency whose number stands in its words, whole, each once."""
    found: dict[Id, Due] = {}
    for text in (credit.reference, credit.label):
        for key in _tokens(text):
            for due in book.by_number.get(key, ()):
                if due.currency == credit.currency:
                    found.setdefault(due.id, due)
    return list(found.values())


def _tokens(text: str) -> Iterator[str]:
    """Each run of consecutive words joined, as written and without leading zeros."""
    words = _spaced(text).split()
    for start in range(len(words)):
        for end in range(start + 1, min(start + MOST_TOKENS, len(words)) + 1):
            run = words[start:end]
            yield "".join(run)
            yield without_zeros(" ".join(run))


def _by_reference(credit: Credit, named: Sequence[Due]) -> Iterator[Match]:
    """What the numbers in the words say, customer by customer."""
    by_customer: dict[Id, list[Due]] = {}
    for due in named:
        by_customer.setdefault(due.customer, []).append(due)
    for customer, dues in by_customer.items():
        total = sum(due.balance for due in dues)
        if total == credit.amount:
            yield Match("REFERENCE", customer, _whole(dues), automatic=len(by_customer) == 1)
            continue
        exact = [due for due in dues if due.balance == credit.amount]
        if len(dues) > 1 and len(exact) == 1:
            yield Match("REFERENCE", customer, _whole(exact))
        if total > credit.amount:
            yield Match("REFERENCE_PART", customer, _poured(credit.amount, dues))
        else:
            yield Match("REFERENCE_OVER", customer, _whole(dues), left=credit.amount - total)


def _payer(credit: Credit, book: Book, named: Sequence[Due]) -> Id | None:
    """The one customer that the account, the name or the numbers point to."""
    for text in (credit.iban, credit.name):
        known = book.payers.get(compact(text), frozenset()) if text else frozenset()
        if len(known) == 1:
            return next(iter(known))
    customers = {due.customer for due in named}
    return customers.pop() if len(customers) == 1 else None


def _by_amount(credit: Credit, payer: Id, dues: Sequence[Due]) -> Iterator[Match]:
    """One invoice of exactly that amount, else an exact sum, else one that differs by a few cents."""
    own = [due for due in dues if due.currency == credit.currency and due.balance > 0]
    exact = [due for due in own if due.balance == credit.amount]
    for due in exact[:3]:
        yield Match("AMOUNT", payer, (Share(due.id, due.balance),))
    if exact:
        return
    yield from _sums(credit.amount, payer, own[:MOST_CANDIDATES])
    for due in own:
        if 0 < abs(due.balance - credit.amount) <= TOLERANCE:
            paid = min(due.balance, credit.amount)
            yield Match("NEAR", payer, (Share(due.id, paid),), left=credit.amount - paid)


def _sums(amount: int, payer: Id, dues: Sequence[Due]) -> Iterator[Match]:
    """Exact sums of two to six invoices, the smallest set first; at most three are proposed."""
    whole = sum(due.balance for due in dues)
    if whole == amount and len(dues) > 1:
        yield Match("SUM", payer, _whole(dues))
        return
    small = [due for due in dues if due.balance < amount]
    proposed = 0
    for size in range(2, min(MOST_INVOICES, len(small)) + 1):
        for chosen in combinations(small, size):
            if sum(due.balance for due in chosen) == amount:
                yield Match("SUM", payer, _whole(chosen))
                proposed += 1
                if proposed == 3:
                    return
        if proposed:
            return


def _whole(dues: Sequence[Due]) -> tuple[Share, ...]:
    return tuple(Share(due.id, due.balance) for due in dues)


def _poured(amount: int, dues: Sequence[Due]) -> tuple[Share, ...]:
    """The amount on the oldest first (C. civ. 1342-10), none above its balance."""
    shares = []
    for due in sorted(dues, key=lambda one: (one.order, one.id)):
        part = min(amount, due.balance)
        if part > 0:
            shares.append(Share(due.id, part))
            amount -= part
    return tuple(shares)

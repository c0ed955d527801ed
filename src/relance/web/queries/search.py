"""One search over the dossier: clients, invoices, contacts, chantiers, amounts, messages, notes.

Each kind costs one bounded question, whatever the size of the ledger: numbers and amounts are read
from an index, names are scanned in a narrow one until enough are found, and of messages and notes
only the latest are read, because their words are in no index.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.formats.amounts import Amount, parse_amount
from relance.formats.text import fold
from relance.history.models import Event
from relance.ledger.expressions import Minus, number_tail, upper_number
from relance.ledger.models import Contact, Customer, Invoice, Site
from relance.outbox.models import Message
from relance.web import french

LONGEST = 100
"""Characters of a question; what follows is not looked at."""
SHORT, FULL = 4, 25
"""Results of one kind under the field, and on the page."""
LATEST_MESSAGES = 2_000
LATEST_NOTES = 1_000
_TAIL = re.compile(r"[0-9]+\Z", re.ASCII)


class Hit(NamedTuple):
    """One result; `cents` of `currency` when it has an amount."""

    url: str
    icon: str
    title: str
    detail: str = ""
    cents: int | None = None
    currency: str = "EUR"


@dataclass(frozen=True)
class Group:
    """The results of one kind; `more` when others were left out."""

    key: str
    label: str
    hits: list[Hit]
    more: bool = False
    all_url: str = ""


@dataclass(frozen=True)
class Asked:
    """What was typed, as the different columns compare it."""

    access: Access
    text: str
    limit: int
    words: list[str] = field(default_factory=list)
    cents: int | None = None

    @property
    def slug(self) -> str:
        return self.access.organisation.slug

    def of_customer(self, customer: int, query: str = "") -> str:
        """The client's page."""
        return reverse("customer_detail", args=[self.slug, customer]) + query

    def group(
        self,
        key: str,
        label: str,
        rows: Iterable[Any],
        hit: Callable[[Any], Hit],
        all_url: str = "",
    ) -> Group:
        """The first results; one row more than the limit was asked for."""
        found = [hit(row) for row in rows]
        return Group(key, label, found[: self.limit], len(found) > self.limit, all_url)


def cleaned(text: str) -> str:
    """One line without control characters, at most `LONGEST` characters."""
    plain = "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST])
    return " ".join(plain.split())[:LONGEST]


def search(access: Access, text: str, *, limit: int = FULL) -> list[Group]:
    """The groups that have a result, for a text of any length; nothing for an empty one."""
    text = cleaned(text)
    words = fold(text).split()[:8]
    if not words:
        return []
    asked = Asked(access, text, limit, words, _cents(text))
    kinds = (_customers, _invoices, _amounts, _contacts, _sites, _messages, _notes)
    return [group for kind in kinds if (group := kind(asked)).hits]


def _cents(text: str) -> int | None:
    """The amount that the text is, in cents, whatever its sign."""
    if not any(c.isdigit() for c in text):
        return None
    found = parse_amount(text)
    return abs(found.cents) if isinstance(found, Amount) and found.cents else None


def _named(asked: Asked, rows: QuerySet[Any]) -> list[Any]:
    """Rows whose folded `search` begins with the words, then those that hold them all.

    The first are read from the index at once; the others end with the limit as well.
    """
    start = " ".join(asked.words)
    wanted = asked.limit + 1
    first = list(
        rows.filter(search__gte=start, search__lt=start + "\uffff").order_by("search")[:wanted]
    )
    if len(first) >= wanted:
        return first
    holding = Q()
    for word in asked.words:
        holding &= Q(search__contains=word)
    known = {row.pk for row in first}
    others = rows.filter(holding).order_by("search")[: wanted + len(first)]
    return [*first, *(row for row in others if row.pk not in known)][:wanted]


def _customers(asked: Asked) -> Group:
    rows = _named(asked, asked.access.all(Customer))
    return asked.group(
        "clients",
        _("Clients"),
        rows,
        lambda one: Hit(asked.of_customer(one.pk), "clients", one.name, one.code),
        reverse("customer_list", args=[asked.slug]) + f"?{_query(asked)}",
    )


def _query(asked: Asked) -> str:
    return urlencode({"q": asked.text})


def _contacts(asked: Asked) -> Group:
    rows = _named(asked, asked.access.all(Contact).select_related("customer"))
    return asked.group(
        "contacts",
        _("Contacts"),
        rows,
        lambda one: Hit(
            asked.of_customer(one.customer_id, f"?onglet=contacts&contact={one.pk}"),
            "user",
            one.name,
            ", ".join(part for part in (one.customer.name, one.email, one.phone) if part),
        ),
    )


def _sites(asked: Asked) -> Group:
    rows = _named(asked, asked.access.all(Site).select_related("customer"))
    return asked.group(
        "chantiers",
        _("Chantiers"),
        rows,
        lambda one: Hit(
            asked.of_customer(one.customer_id, "?onglet=chantiers"),
            "site",
            one.name,
            one.customer.name,
        ),
    )


def numbered(invoices: QuerySet[Invoice], text: str, limit: int) -> list[int]:
    """Keys of invoices whose number begins with the text, or ends with its digits and holds it.

    Both are ranges of an index: 0862, 2026-0862 and f-2026-08 find F-2026-0862.
    """
    upper = "".join(c.upper() if c.isascii() else c for c in text)
    begins = invoices.alias(upper=upper_number()).filter(
        upper__gte=upper, upper__lt=upper + "\U0010ffff"
    )
    found = list(begins.order_by("upper").values_list("pk", flat=True)[:limit])
    digits = _TAIL.search(text)
    tail = digits.group().lstrip("0") if digits else ""
    if tail and len(found) < limit:
        ends = invoices.alias(tail=number_tail()).filter(tail=tail, number__icontains=text)
        found += ends.exclude(pk__in=found).values_list("pk", flat=True)[: limit - len(found)]
    return found


def _invoice(asked: Asked, one: Invoice) -> Hit:
    owed = one.balance_cents > 0
    detail = one.customer.name if owed else _("%(client)s, réglée") % {"client": one.customer.name}
    return Hit(
        asked.of_customer(one.customer_id, f"?facture={one.pk}"),
        "folder",
        one.number,
        detail,
        one.balance_cents if owed else one.total_cents,
        one.currency,
    )


def _invoices(asked: Asked) -> Group:
    keys = numbered(asked.access.all(Invoice), asked.text, asked.limit + 1)
    rows = (
        asked.access.all(Invoice).filter(pk__in=keys).select_related("customer").order_by("number")
    )
    return asked.group(
        "factures",
        _("Factures"),
        rows if keys else [],
        lambda one: _invoice(asked, one),
        reverse("dashboard", args=[asked.slug]) + f"?{_query(asked)}&etat=toutes",
    )


def _amounts(asked: Asked) -> Group:
    """Invoices of which the whole or the rest is this amount."""
    rows: list[Invoice] = []
    if asked.cents is not None:
        invoices = asked.access.all(Invoice).select_related("customer")
        wanted = asked.limit + 1
        rest = invoices.filter(balance_cents__gt=0).alias(minus=Minus("balance_cents"))
        owed = rest.filter(minus=-asked.cents).order_by("id")[:wanted]
        rows = list({one.pk: one for one in owed}.values())
        known = {one.pk for one in rows}
        whole = invoices.filter(total_cents=asked.cents).order_by("id")[: wanted + len(known)]
        rows += [one for one in whole if one.pk not in known][: wanted - len(rows)]
    label = _("Factures de ce montant")
    return asked.group("montants", label, rows, lambda one: _invoice(asked, one))


def _messages(asked: Asked) -> Group:
    """Messages of this amount, then those of the latest whose subject holds the words."""
    messages = asked.access.all(Message)
    wanted = asked.limit + 1
    keys: list[int] = []
    if asked.cents is not None:
        same = messages.filter(amount_cents=asked.cents).order_by("-id")
        keys = list(same.values_list("pk", flat=True)[:wanted])
    if len(keys) < wanted:
        latest = messages.order_by("-id").values_list("pk", "subject")[:LATEST_MESSAGES]
        keys += [key for key, subject in latest if _holds(asked, subject)]
    rows = messages.filter(pk__in=keys[:wanted]).select_related("customer").order_by("-id")
    return asked.group(
        "messages",
        _("Messages"),
        rows if keys else [],
        lambda one: Hit(
            reverse("message_detail", args=[asked.slug, one.pk]),
            "email",
            one.subject or _("Sans objet"),
            ", ".join(
                part for part in (str(one.customer or ""), french.date_text(one.on, None)) if part
            ),
            one.amount_cents or None,
            one.currency,
        ),
    )


def _notes(asked: Asked) -> Group:
    """The latest notes of the timelines that hold the words."""
    latest = asked.access.all(Event).filter(kind="note").order_by("-seq")
    found = []
    for row in latest.values_list("customer_id", "on", "actor_name", "data")[:LATEST_NOTES]:
        text = _text_of(row[3])
        if text and _holds(asked, text):
            found.append((*row[:3], text))
            if len(found) > asked.limit:
                break
    ids = {row[0] for row in found if row[0]}
    names = dict(asked.access.all(Customer).filter(pk__in=ids).values_list("pk", "name"))
    return asked.group(
        "notes",
        _("Notes"),
        [row for row in found if row[0] in names],
        lambda row: Hit(
            asked.of_customer(row[0], "?onglet=historique"),
            "note",
            row[3] if len(row[3]) <= 120 else row[3][:119] + "…",
            f"{names[row[0]]}, {french.date_text(row[1], None)}, {row[2]}",
        ),
    )


def _text_of(data: Any) -> str:
    """The words of a note's event."""
    if not isinstance(data, dict):
        return ""
    return " ".join(str(data[key]) for key in ("text", "note") if isinstance(data.get(key), str))


def _holds(asked: Asked, text: str) -> bool:
    plain = fold(text)
    return all(word in plain for word in asked.words)

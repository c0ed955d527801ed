"""What came in, as pages read it: newest first, by nature, those to look at first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import QueryDict
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.formats.mail_words import File, fold, read_files
from relance.formats.text import fold as folded
from relance.ledger.models import Customer
from relance.outbox.models import Inbound, Refusal
from relance.web.queries.paging import page_of

ASKS = [Inbound.Kind.REPLY, Inbound.Kind.HARD, Inbound.Kind.COMPLAINT]
"""Kinds that wait for somebody to look at them; the others are told and nothing more."""
NATURES: dict[str, tuple[Any, Sequence[str]]] = {
    "": (lazy("Tout"), ()),
    "reponses": (lazy("Réponses"), [Inbound.Kind.REPLY]),
    "refus": (lazy("Refus"), [Inbound.Kind.HARD, Inbound.Kind.SOFT]),
    "absences": (lazy("Absences"), [Inbound.Kind.AUTO_REPLY]),
    "plaintes": (lazy("Plaintes"), [Inbound.Kind.COMPLAINT]),
    "documents": (lazy("Documents"), [Inbound.Kind.DOCUMENTS]),
    "autres": (lazy("Autres"), [Inbound.Kind.OTHER]),
}


@dataclass(frozen=True)
class Chosen:
    """One page of what came in, and what was asked for."""

    page: Page[Inbound]
    nature: str
    unseen: bool
    words: str

    @property
    def filtered(self) -> bool:
        return bool(self.nature or self.words)


def unseen(access: Access) -> QuerySet[Inbound]:
    """What waits to be looked at, newest first."""
    return (
        access.all(Inbound)
        .filter(seen_at=None, kind__in=ASKS)
        .select_related("customer")
        .order_by("-id")
    )


def lines(rows: QuerySet[Inbound]) -> QuerySet[Inbound]:
    """As lists show them: the first words (`beginning`) instead of the whole text."""
    return rows.defer("text").annotate(beginning=Left("text", 300))


def read(query: QueryDict, access: Access) -> Chosen:
    """The page that the address asks for; anything unknown in it is left aside."""
    nature = query.get("nature", "")
    nature = nature if nature in NATURES else ""
    waiting = query.get("etat", "") != "tout"
    words = query.get("q", "").strip()[:80]
    rows = unseen(access) if waiting else access.all(Inbound).select_related("customer")
    kinds = NATURES[nature][1]
    if kinds:
        rows = rows.filter(kind__in=kinds)
    for word in folded(words).split():
        rows = rows.filter(customer__search__contains=word)
    rows = lines(rows).order_by("-id")
    return Chosen(page_of(rows, query.get("page")), nature, waiting, words)


@dataclass(frozen=True)
class Shown:
    """One mail for its panel: the writer's words, what he quotes, its files (name, bytes)."""

    inbound: Inbound
    fresh: str
    quoted: str
    files: list[tuple[str, int]]
    refusals: list[Refusal]
    candidates: list[Customer]
    asked: str


def shown(access: Access, inbound: Inbound, asked: str = "") -> Shown:
    """All of one mail; `asked` searches the customer to whom it is to be given."""
    fresh, quoted = fold(inbound.text)
    asked = asked.strip()[:80]
    candidates: list[Customer] = []
    if asked:
        rows = access.all(Customer)
        for word in folded(asked).split():
            rows = rows.filter(search__contains=word)
        candidates = list(rows.order_by("name", "pk")[:8])
    names = [(one.name, len(one.content)) for one in files_of(inbound)]
    refusals = list(inbound.refusals.order_by("pk"))
    return Shown(inbound, fresh, quoted, names, refusals, candidates, asked)


def files_of(inbound: Inbound) -> list[File]:
    """The files that came with the mail; none when it is not on the disk any more."""
    try:
        with inbound.raw.open("rb") as file:
            return read_files(file.read())
    except OSError:
        return []

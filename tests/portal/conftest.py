"""A request that was sent, its door, and the phone of the one who answers."""

import io
from collections.abc import Iterator
from datetime import date, datetime
from itertools import count
from typing import NamedTuple

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.bank.models import Transaction
from relance.receipts.models import Request
from relance.receipts.services.asking import open_request
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import (
    AddClient,
    Bring,
    accountant,
    add_client,
    bring,
    dossier,
    firm,
)

__all__ = ["accountant", "add_client", "bring", "dossier", "firm"]

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
_shades = count(1)


class Asked(NamedTuple):
    """A request, where its links lead, and its transactions, newest first."""

    request: Request
    url: str
    rows: list[Transaction]

    def at(self, place: int) -> str:
        """The address of a transaction of the request."""
        return f"{self.url}/{self.rows[place].pk}/"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Tries are counted in the cache, which outlives a test, as the language of a page does."""
    cache.clear()
    yield
    cache.clear()
    translation.activate("fr")


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """08:30 in Paris on Tuesday 24 November 2026."""
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW)
    return NOW


@pytest.fixture
def client_user(add_client: AddClient) -> User:
    return add_client("Yann Corre".replace(" ", ".").lower())


@pytest.fixture
def asked(dossier: Organisation, client_user: User, bring: Bring) -> Asked:
    """October: three transactions without receipt."""
    names = [("SACEM", -213_40, 3), ("TOTAL", -74_62, 9), ("METRO NANTES", -342_18, 30)]
    for name, cents, day in names:
        bring(cents, f"CB {name}", date(2026, 10, day), name=name)
    rows = list(Transaction.objects.filter(organisation=dossier).order_by("-booked"))
    return ask(dossier, rows, client_user)


def ask(dossier: Organisation, rows: list[Transaction], user: User) -> Asked:
    """A request about these, as its message would carry it."""
    request, letter = open_request(
        organisation=dossier,
        kind=Request.Kind.MANUAL,
        rows=rows,
        users=[user],
        on=TODAY,
        now=NOW,
        first=FIRST,
        last=LAST,
    )
    line = next(line for line in letter.text.split() if "/j/" in line)
    return Asked(request, "/j/" + line.partition("/j/")[2].partition("/")[0], rows)


def photo(shade: int | None = None) -> bytes:
    """A photograph, another one each time."""
    number = next(_shades) if shade is None else shade
    target = io.BytesIO()
    Image.new("RGB", (12, 16), (number % 256, number // 256 % 256, 7)).save(target, "PNG")
    return target.getvalue()


def upload(raw: bytes | None = None, name: str = "ticket.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, photo() if raw is None else raw, "image/png")

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope

from relance.accounts.models import Organisation
from relance.ledger.models import Customer, Invoice
from relance.ops.smtp_sink import Sink
from relance.outbox import services
from relance.outbox.models import Message
from tests.outbox.post_office import PostOffice

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def organisation(db: None) -> Organisation:
    return Organisation.objects.create(name="Atelier Martin", slug="atelier-martin")


@pytest.fixture
def customer(organisation: Organisation) -> Customer:
    return Customer.objects.create(
        organisation=organisation, code="C1", name="Dupont", search="dupont c1"
    )


@pytest.fixture
def invoice(customer: Customer) -> Invoice:
    return make_invoice(customer, "F-1")


def make_invoice(customer: Customer, number: str) -> Invoice:
    return Invoice.objects.create(
        organisation=customer.organisation,
        customer=customer,
        number=number,
        issued=date(2026, 1, 1),
        due=date(2026, 1, 31),
        total_cents=120_000,
        balance_cents=120_000,
    )


def make_draft(customer: Customer, *invoices: Invoice, **fields: object) -> services.Draft:
    """A first reminder of plan 1 about the invoices, which all carry it."""
    values: dict[str, object] = {
        "organisation": customer.organisation,
        "customer_id": customer.pk,
        "on": NOW.date(),
        "not_before": NOW,
        "sender": "Atelier Martin <collect@example.org>",
        "reply_to": "compta@martin.example",
        "recipients": ["dupont@example.com"],
        "subject": "Facture échue",
        "text": "Bonjour,\n\nvotre facture est échue.\n",
        "html": "<p>Bonjour,</p><p>votre facture est échue.</p>",
        "automatic": True,
        "plan_id": 1,
        "level": 1,
        "lines": [
            services.Line(i.pk, i.balance_cents, carrier=True, plan_id=1, level=1) for i in invoices
        ],
        "amount_cents": sum(i.balance_cents for i in invoices),
    }
    return services.Draft(**{**values, **fields})  # type: ignore[arg-type]


@pytest.fixture
def queue_one(customer: Customer) -> Callable[..., Message]:
    def queue_one(*invoices: Invoice, **fields: object) -> Message:
        done = services.queue(drafts=[make_draft(customer, *invoices, **fields)], now=NOW)
        assert not done.refused
        return done.messages[0]

    return queue_one


class Server:
    """A real SMTP server whose answers a test chooses by the recipient's address."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, str] = {}
        self.sink = Sink(folder, answer=self._answer)

    def _answer(self, envelope: Envelope) -> str | None:
        return next((self.answers[to] for to in envelope.rcpt_tos if to in self.answers), None)


@pytest.fixture
def server(tmp_path: Path, settings) -> Iterator[Server]:
    server = Server(tmp_path / "mails")
    server.sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.sink.port
    settings.EMAIL_TIMEOUT = 2
    yield server
    server.sink.stop()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **delay: float) -> None:
        self.at += timedelta(**delay)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def post_office(settings) -> Iterator[Callable[..., PostOffice]]:
    """Opens servers of mailboxes on this machine; the test allows private networks."""
    settings.SMTP_PRIVATE_NETWORKS = True
    settings.EMAIL_TIMEOUT = 2
    opened: list[PostOffice] = []

    def open_one(**fields: Any) -> PostOffice:
        opened.append(PostOffice(**fields))
        return opened[-1]

    yield open_one
    for one in opened:
        one.stop()

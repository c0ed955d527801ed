"""The mise en demeure (A10): every part that counts is there, and the amounts are the law's."""

from datetime import date, timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.facts import legal
from relance.dunning.models import Plan
from relance.dunning.plans.starters import STARTERS
from relance.dunning.services import free_message
from relance.dunning.wording import formal_notice, letters, messages, templating
from relance.engine.wording import money_words
from relance.ledger.models import Customer, Invoice, Payment
from tests.conftest import TODAY, make_customer, make_invoice

[STARTER] = [one for one in STARTERS if one.channel == "registered_letter"]
ALL_PARTS = (
    "Nous vous mettons en demeure de payer au plus tard le {{ date_limite }} sur"
    " {{ entreprise.iban }}.\n\n{{ tableau_factures }}\n\nÀ défaut, nous saisirons le tribunal."
    "\n\n{{ signature }}"
)


def parts_missing(subject: str, body: str) -> list[str]:
    names = templating.names_of(f"{subject} {body}")
    return [part.code for part in formal_notice.lacks(subject, body, names)]


def test_the_starter_template_holds_every_part() -> None:
    assert formal_notice.is_formal(STARTER.subject, STARTER.body)
    assert parts_missing(STARTER.subject, STARTER.body) == []
    assert parts_missing("Mise en demeure", ALL_PARTS) == []
    assert not templating.faults(STARTER.body)


@pytest.mark.parametrize(
    ("taken_out", "code"),
    [
        ("mettons en demeure", "WORDS"),
        ("{{ tableau_factures }}", "INVOICES"),
        ("{{ date_limite }}", "DEADLINE"),
        ("{{ entreprise.iban }}", "HOW"),
        ("À défaut, nous saisirons le tribunal.", "AFTERWARDS"),
        ("{{ signature }}", "SIGNATURE"),
    ],
)
def test_a_template_that_lacks_a_part_is_told_which(taken_out: str, code: str) -> None:
    assert parts_missing("Mise en demeure", ALL_PARTS.replace(taken_out, "")) == [code]


@pytest.mark.parametrize(
    ("subject", "body", "formal"),
    [
        ("Mise en demeure de payer", "Bonjour,", True),
        ("Factures", "Nous vous METTONS formellement en demeure de payer.", True),
        ("Factures", "La présente vaut mise en demeure.", True),
        (
            "Dernier rappel avant mise en demeure",
            "Nous vous adresserons une mise en demeure.",
            False,
        ),
        ("Factures", "Bonjour,", False),
    ],
)
def test_only_words_that_call_on_the_reader_make_a_mise_en_demeure(
    subject: str, body: str, formal: bool
) -> None:
    assert formal_notice.is_formal(subject, body) is formal


def test_the_deadline_is_a_calendar_date_fifteen_days_later() -> None:
    assert formal_notice.deadline(date(2026, 2, 20)) == date(2026, 3, 7)


@pytest.fixture
def owing(customer: Customer) -> Invoice:
    """Reference example 7 of the law: 3 600 €, due 31/05/2026, unpaid on 21/11/2026."""
    customer.regime, customer.siren = "business", "552100554"
    customer.save()
    return make_invoice(customer, "FA-7", date(2026, 5, 31), 360_000)


def table_of(customer: Customer, invoice: Invoice, on: date) -> letters.Formal:
    statement = legal.statement(customer.organisation, customer.pk, on=on, invoice_ids=[invoice.pk])
    return formal_notice.formal(
        statement, customer, invoice_ids=[invoice.pk], currency="EUR", money_words=money_words
    )


def plain(cells: object) -> str:
    return (
        str(cells)
        .replace("\\u202f", " ")
        .replace("\\xa0", " ")
        .replace("\u202f", " ")
        .replace("\u00a0", " ")
    )


def test_principal_interest_and_fee_stand_apart_with_their_basis(
    customer: Customer, owing: Invoice
) -> None:
    """A4 example 7: 3 600,00 + 212,06 + 40,00 = 3 852,06; C. com. L441-10 and D441-5."""
    made = table_of(customer, owing, date(2026, 11, 21))

    sums = plain([list(one) for one in made.table.sums])
    assert "3 600,00 €" in sums
    assert "212,06 €" in sums
    assert "40,00 €" in sums
    assert plain(made.table.total[1]) == "3 852,06 €"
    assert "L441-10" in " ".join(made.table.notes)
    assert "D441-5" in " ".join(made.table.notes)
    assert made.siren == "552100554"
    assert made.enclosures == ["facture FA-7"]


def test_a_part_payment_is_shown_and_lowers_what_is_left(
    customer: Customer, owing: Invoice
) -> None:
    Payment.objects.create(
        organisation=customer.organisation, invoice=owing, on=date(2026, 7, 1), amount_cents=60_000
    )
    made = table_of(customer, owing, date(2026, 11, 21))

    [row] = made.table.rows
    assert [plain(cell) for cell in row[3:]] == ["3 600,00 €", "600,00 €", "3 000,00 €"]
    assert made.table.head[3:] == ["Montant TTC", "Déjà réglé", "Reste dû"]


def test_a_consumer_is_asked_no_fee_and_told_from_when_interest_runs(
    customer: Customer, owing: Invoice
) -> None:
    """A8, CPCE L111-8: no cost of recovery; the legal rate from the reception of this letter."""
    customer.regime = "consumer"
    customer.save()
    made = table_of(customer, owing, date(2026, 6, 20))

    assert made.table.sums == []
    assert plain(made.table.total[1]) == "3 600,00 €"
    assert "1231-6" in " ".join(made.table.notes)
    assert made.siren == ""


def test_without_a_known_regime_or_rate_only_the_principal_is_asked(
    customer: Customer, owing: Invoice
) -> None:
    """D-26; a rate that is not published yet charges nothing rather than something wrong."""
    beyond = table_of(customer, owing, date(2031, 1, 10))
    customer.regime = "unknown"
    customer.save()
    unknown = table_of(customer, owing, date(2026, 11, 21))

    for made in (beyond, unknown):
        assert made.table.sums == []
        assert made.table.notes == []
        assert plain(made.table.total[1]) == "3 600,00 €"


def test_what_the_letterhead_and_the_record_lack_is_said(
    organisation: Organisation, customer: Customer
) -> None:
    organisation.address, organisation.siren, organisation.iban = "", "", ""
    customer.regime, customer.siren = "business", ""

    said = formal_notice.lacks_of(organisation, customer)

    assert [("SIREN" in one, "IBAN" in one, "adresse" in one) for one in said] == [
        (False, False, True),
        (True, False, False),
        (False, True, False),
        (True, False, False),
    ]
    organisation.address, organisation.siren, organisation.iban = "1 rue", "552100554", "FR76"
    customer.regime = "consumer"
    assert formal_notice.lacks_of(organisation, customer) == []


def test_many_mises_en_demeure_ask_the_law_once_for_all(
    organisation: Organisation, owner: User, plan: Plan, django_assert_max_num_queries: Any
) -> None:
    """The amounts of a chunk are counted together, however many customers it has."""
    wanted = []
    for number in range(6):
        one = make_customer(organisation, None, f"Client {number}", regime="business")
        invoice = make_invoice(one, f"FA-{number}", TODAY - timedelta(days=40), 100_000)
        wanted.append(free_message(one, invoices=[invoice], on=TODAY))
    book = messages.open_book(organisation, wanted)
    words = messages.Words(STARTER.subject, STARTER.body)

    with django_assert_max_num_queries(6):
        made = [messages.letter(book, one, TODAY, words=words) for one in wanted]

    assert all(one["formal"] and len(one["sums"]) == 3 for one in made)
    assert len({one["rows"][0][0] for one in made}) == 6

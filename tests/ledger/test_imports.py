"""Files into the ledger: what is created, changed, left, refused, resumed and undone."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from relance.accounts.models import Organisation
from relance.history.models import Event
from relance.ledger import imports, services
from relance.ledger.imports import running
from relance.ledger.models import (
    Contact,
    Credit,
    Customer,
    Invoice,
    MappingProfile,
    Payment,
    Site,
)
from tests.ledger.importing import FILE, HEADER, bring, counts, ledger, load, sound, undo

from .conftest import NOW, TODAY, a_customer, an_invoice, day


def test_invoices_payments_and_credits_come_in_the_same_rows(organisation: Organisation) -> None:
    imported = load(organisation, FILE)
    assert (imported.status, counts(imported)) == ("done", (4, 0, 0, 0))
    assert set(Invoice.objects.values_list("number", "balance_cents")) == {
        ("F-1", 100_00),
        ("F-2", 50_00),
        ("F-3", 0),
    }
    assert set(Payment.objects.values_list("invoice__number", "on", "amount_cents")) == {
        ("F-2", day("2026-03-15"), 150_00),
        ("F-3", day("2026-06-30"), 300_00),
    }
    credit = Credit.objects.get()
    assert (credit.number, credit.total_cents, credit.left_cents) == ("A-1", 40_00, 40_00)
    assert Event.objects.get(kind="import_done").data["created"] == 4
    assert sound(organisation)


def test_the_same_file_twice_changes_nothing(organisation: Organisation) -> None:
    load(organisation, FILE)
    before = ledger(organisation)
    again = load(organisation, FILE)
    assert counts(again) == (0, 0, 4, 0)
    assert ledger(organisation) == before
    assert not again.changes.exists()


def test_a_lower_balance_is_a_payment_of_the_difference(organisation: Organisation) -> None:
    load(organisation, FILE)
    later = FILE.replace("100,00;100,00;", "100,00;30,00;02/06/2026").replace(
        "50,00;15/", "20,00;15/"
    )
    assert counts(load(organisation, later, on="2026-07-10")) == (0, 2, 2, 0)
    paid = Payment.objects.filter(invoice__number="F-1").values_list("on", "amount_cents")
    assert list(paid) == [(day("2026-06-02"), 70_00)]
    assert Payment.objects.filter(invoice__number="F-2", amount_cents=30_00).exists()
    event = Event.objects.filter(kind="payment_recorded").latest("seq")
    assert event.data["amount_cents"] in (70_00, 30_00)
    assert sound(organisation)


def test_a_higher_balance_cancels_a_payment_on_the_day_of_the_import(
    organisation: Organisation,
) -> None:
    load(organisation, FILE)
    load(organisation, FILE.replace("200,00;50,00", "200,00;200,00"), on="2026-07-10")
    last = Payment.objects.filter(invoice__number="F-2").latest("id")
    assert (last.on, last.amount_cents) == (day("2026-07-10"), -150_00)
    assert Event.objects.filter(kind="payment_cancelled").count() == 1
    assert sound(organisation)


def test_a_changed_due_date_and_total_are_kept_in_the_history(organisation: Organisation) -> None:
    load(organisation, FILE)
    load(organisation, FILE.replace("10/02/2026;100,00;100,00", "28/02/2026;120,00;120,00"))
    invoice = Invoice.objects.get(number="F-1")
    assert (invoice.due, invoice.total_cents, invoice.balance_cents) == (
        day("2026-02-28"),
        120_00,
        120_00,
    )
    data = Event.objects.get(kind="invoice_edited").data
    assert data["due"] == ["2026-02-10", "2026-02-28"]
    assert data["total_cents"] == [100_00, 120_00]
    assert not Payment.objects.filter(invoice=invoice).exists()
    assert sound(organisation)


def test_invoices_absent_from_the_file_are_left_alone(organisation: Organisation) -> None:
    load(organisation, FILE)
    load(organisation, "\n".join(FILE.splitlines()[:2]))
    assert Invoice.objects.get(number="F-2").balance_cents == 50_00


def test_a_file_that_says_nothing_of_payments_cancels_none(organisation: Organisation) -> None:
    load(organisation, FILE)
    bare = "Code client;N° facture;Date;Échéance;Total TTC\nC1;F-2;10/01/2026;10/02/2026;200,00\n"
    assert counts(load(organisation, bare)) == (0, 0, 1, 0)
    assert Invoice.objects.get(number="F-2").balance_cents == 50_00


def test_what_is_paid_beyond_the_total_is_kept_as_a_credit(organisation: Organisation) -> None:
    over = "Client;N° facture;Date;Total TTC;Réglé\nMorel;F-1;10/01/2026;100,00;130,00\n"
    load(organisation, over)
    load(organisation, over)
    assert Invoice.objects.get().balance_cents == 0
    assert Credit.objects.get().left_cents == 30_00
    load(organisation, over.replace("130,00", "100,00"))
    assert Credit.objects.get().left_cents == 0
    assert sound(organisation)


def test_a_credit_used_in_the_accounting_tool_is_used_here_too(organisation: Organisation) -> None:
    load(organisation, FILE)
    credit, invoice = Credit.objects.get(), Invoice.objects.get(number="F-1")
    Customer.objects.filter(code="C1").update(code="X")
    load(organisation, FILE.replace("-40,00;-40,00", "-40,00;-15,00").replace("C1", "X"))
    credit.refresh_from_db()
    assert (credit.total_cents, credit.used_cents, credit.left_cents) == (40_00, 25_00, 15_00)
    assert invoice.balance_cents == 100_00
    assert sound(organisation)


def test_a_number_of_another_customer_is_refused_with_its_line(organisation: Organisation) -> None:
    load(organisation, FILE)
    other = f"{HEADER}\nC9;Autre;F-1;10/01/2026;10/02/2026;5,00;5,00;\n"
    imported = load(organisation, other)
    line = imported.lines.get()
    assert (line.line, line.refused, line.code) == (2, True, "number_other_customer")
    assert Invoice.objects.get(number="F-1").total_cents == 100_00


def test_an_invoice_number_does_not_become_a_credit(organisation: Organisation) -> None:
    load(organisation, FILE)
    imported = load(organisation, FILE.replace("100,00;100,00", "-100,00;-100,00"))
    assert imported.lines.get(refused=True).code == "number_other_kind"


def test_customers_without_code_are_known_by_their_name(organisation: Organisation) -> None:
    bare = "Client;N° facture;Date;Total TTC\nCafé Été;F-1;10/01/2026;5,00\n"
    load(organisation, bare)
    load(organisation, bare.replace("Café Été", "CAFE  ETE").replace("F-1", "F-2"))
    customer = Customer.objects.get()
    assert (customer.code, customer.invoices.count()) == ("CAFE-ETE", 2)
    for code in ("A", "B"):
        a_customer(organisation, code, name="Double")
    refused = load(organisation, bare.replace("Café Été", "Double").replace("F-1", "F-3"))
    assert refused.lines.get().code == "customer_ambiguous"


def test_a_file_of_invoices_fills_what_is_empty_and_overwrites_nothing(
    organisation: Organisation,
) -> None:
    a_customer(organisation, "C1", name="Morel & fils", email="bon@morel.fr")
    content = (
        "Code client;Client;N° facture;Date;Total TTC;Email;Téléphone;Chantier\n"
        "C1;MOREL;F-1;10/01/2026;5,00;autre@morel.fr;04 72 00 00 00;Gare\n"
    )
    load(organisation, content)
    customer = Customer.objects.get()
    assert (customer.name, customer.email, customer.phone) == (
        "Morel & fils",
        "bon@morel.fr",
        "04 72 00 00 00",
    )
    assert Invoice.objects.select_related("site").get().site == Site.objects.get(name="Gare")
    assert Event.objects.get(kind="customer_edited").data["phone"] == ["", "04 72 00 00 00"]


CUSTOMERS = """Code client;Nom du client;E-mail;Contact;Ville
C1;Morel;compta@morel.fr;Léa Roux;Lyon
C1;Morel;max@morel.fr;Max Petit;Lyon
C2;Perrin;;;Dijon
"""


def test_a_file_of_customers_creates_updates_and_adds_contacts(organisation: Organisation) -> None:
    first = load(organisation, CUSTOMERS)
    assert (first.kind, counts(first)) == ("customers", (2, 1, 0, 0))
    assert set(Contact.objects.values_list("name", "email")) == {
        ("Léa Roux", "compta@morel.fr"),
        ("Max Petit", "max@morel.fr"),
    }
    assert counts(load(organisation, CUSTOMERS)) == (0, 0, 3, 0)
    changed = CUSTOMERS.replace("Perrin;;;Dijon", "Perrin SARL;a@perrin.fr;;")
    assert counts(load(organisation, changed)) == (0, 1, 2, 0)
    perrin = Customer.objects.get(code="C2")
    assert (perrin.name, perrin.email, perrin.city) == ("Perrin SARL", "a@perrin.fr", "Dijon")
    assert perrin.search == "perrin sarl c2"


def test_refused_lines_write_nothing_and_others_come_in(organisation: Organisation) -> None:
    bad = f"{FILE}C7;Fantôme;F-7;35/13/2026;10/02/2026;5,00;5,00;\n"
    imported = load(organisation, bad)
    assert counts(imported) == (4, 0, 0, 1)
    line = imported.lines.get(refused=True)
    assert line.line == 6
    assert "35/13/2026" in line.message
    assert not Customer.objects.filter(code="C7").exists()


def test_a_date_order_that_contradicts_itself_refuses_the_whole_file(
    organisation: Organisation,
) -> None:
    imported = load(organisation, FILE.replace("12/01/2026;13/02/2026", "12/25/2026;12/26/2026", 1))
    assert imported.status == "failed"
    assert "l’ordre jour/mois change" in imported.error.replace("\u00a0", " ")
    assert not Customer.objects.exists()


class Killed(BaseException):
    """What a kill -9 is to the code it interrupts."""


@pytest.fixture
def many() -> str:
    rows = [
        f"C{n % 7};Client {n % 7};F-{n};10/01/2026;10/02/2026;{n + 1},00;{n % 3},00;"
        for n in range(3, 60)
    ]
    return "\n".join([HEADER, *rows, "C1;X;F-99;xx;;1,00;1,00;"]) + "\n"


def test_a_killed_import_goes_on_where_it_stopped(
    organisation: Organisation, many: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(organisation, many)
    expected, tally = ledger(organisation), counts(whole)
    undo(whole)
    assert not ledger(organisation)

    imported = bring(organisation, many)
    real, calls = running._save, iter(range(100))

    def dies(*args: Any) -> None:
        real(*args)
        if next(calls) == 2:
            raise Killed

    monkeypatch.setattr(running, "_save", dies)
    with pytest.raises(Killed):
        imports.run_import(imported.pk, NOW, chunk_size=10)
    monkeypatch.setattr(running, "_save", real)

    imported.refresh_from_db()
    # the third chunk was not committed
    assert (imported.status, imported.done_lines) == ("running", 20)
    with pytest.raises(imports.ImportStateError):
        imports.run_import(imported.pk, NOW)
    later = NOW.replace(year=2030)
    assert imports.mark_interrupted(later) == 1
    resumed = imports.run_import(imported.pk, later, chunk_size=10)
    assert (resumed.status, counts(resumed)) == ("done", tally)
    assert ledger(organisation) == expected
    assert sound(organisation)


def test_an_unexpected_error_is_told_in_french_and_can_be_resumed(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = bring(organisation, FILE)
    real = running._save
    monkeypatch.setattr(running, "_save", lambda *args: 1 / 0)
    failed = imports.run_import(imported.pk, NOW)
    assert failed.status == "failed"
    assert "erreur inattendue" in failed.error
    assert not Customer.objects.exists()
    monkeypatch.setattr(running, "_save", real)
    assert imports.run_import(imported.pk, NOW).status == "done"


def test_new_customers_are_told_to_who_gives_them_a_plan(organisation: Organisation) -> None:
    told: list[int] = []
    imported = bring(organisation, FILE)
    imports.run_import(imported.pk, NOW, on_customers=lambda _org, ids: told.extend(ids))
    assert set(told) == set(Customer.objects.values_list("id", flat=True))


def test_the_columns_chosen_are_remembered_for_the_header(organisation: Organisation) -> None:
    imported = bring(organisation, FILE)
    imports.choose_mapping(
        imported=imported,
        columns={"customer_code": 0, "number": 2, "issue_on": 3, "total": 5},
        settings=imports.Settings(on=TODAY, terms_days=45),
    )
    assert MappingProfile.objects.count() == 1
    again = imports.store_upload(
        organisation=organisation, content=ContentFile(FILE.encode(), "b"), filename="b", now=NOW
    )
    settings = imports.Settings(on=TODAY)
    found = imports.propose_mapping(again, imports.table_of(again, settings), TODAY)
    assert found.remembered
    assert found.columns == {"customer_code": 0, "number": 2, "issue_on": 3, "total": 5}
    assert (found.settings.terms_days, found.settings.on) == (45, TODAY)


def test_the_preview_counts_faults_and_writes_nothing(organisation: Organisation) -> None:
    bad = FILE.replace("300,00;0,00", "trois;0,00")
    imported = bring(organisation, bad)
    settings = imports.Settings(on=TODAY)
    table = imports.table_of(imported, settings)
    preview = imports.preview(imported, table, imports.columns_of(imported), settings)
    assert [row.line for row in preview.rows] == [2, 3, 5]
    assert {(severity, code): n for severity, code, n, _text in preview.counts} == {
        ("refused", "bad_amount"): 1,
        ("remark", "credit_note_by_sign"): 1,
    }
    assert not Customer.objects.exists()


def test_a_discarded_file_is_gone_and_one_that_wrote_is_kept(organisation: Organisation) -> None:
    imported = bring(organisation, FILE)
    path = Path(imported.file.path)
    imports.discard(imported=imported)
    assert not path.exists()
    with pytest.raises(imports.ImportFileError):
        imports.discard(imported=load(organisation, FILE))


def test_an_existing_invoice_keeps_its_history_and_dispute(organisation: Organisation) -> None:
    customer = a_customer(organisation, "C1", name="Morel")
    invoice = an_invoice(customer, "F-1", "2026-01-10", "2026-02-10", 100_00)
    services.open_dispute(invoice=invoice, on=TODAY, now=NOW)
    load(organisation, FILE.replace("100,00;100,00", "100,00;60,00"))
    invoice.refresh_from_db()
    assert (invoice.disputed, invoice.balance_cents) == (True, 60_00)


@pytest.fixture
def fec() -> str:
    head = (
        "JournalCode|JournalLib|EcritureNum|EcritureDate|CompteNum|CompteLib|CompAuxNum|"
        "CompAuxLib|PieceRef|PieceDate|EcritureLib|Debit|Credit|EcritureLet|DateLet|ValidDate|"
        "Montantdevise|Idevise"
    )

    def line(aux: str, name: str, piece: str, debit: str, credit: str, letter: str = "") -> str:
        return (
            f"VE|Ventes|1|20250310|411000|Clients|{aux}|{name}|{piece}|20250310|Facture|"
            f"{debit}|{credit}|{letter}||||"
        )

    return "\n".join(
        [
            head,
            line("CDUP", "Dupont", "F1", "100,00", "0,00"),
            line("CDUP", "Dupont", "F2", "80,00", "0,00", "A"),
            line("CDUP", "Dupont", "R2", "0,00", "50,00", "A"),
            line("CDUP", "Dupont", "R3", "0,00", "20,00"),
            line("CLEM", "Lemaire", "F4", "60,00", "0,00", "B"),
            line("CLEM", "Lemaire", "R4", "0,00", "60,00", "B"),
            line("CESP", "Recette espèces", "R5", "9,00", "0,00"),
        ]
    )


def test_a_fec_gives_open_items_for_review_and_balances(
    organisation: Organisation, fec: str
) -> None:
    """Formats D1: unlettered and unbalanced letters stay open, generic accounts are refused."""
    imported = load(organisation, fec, terms_days=45, end_of_month=True)
    assert (imported.kind, counts(imported)) == ("fec", (3, 0, 0, 1))
    customer = Customer.objects.get()
    assert (customer.code, customer.to_review) == ("CDUP", True)
    found = Invoice.objects.values_list("number", "balance_cents", "plan_on", "due_estimated")
    assert set(found) == {("F1", 100_00, True, True), ("F2", 30_00, False, True)}
    assert {invoice.due for invoice in Invoice.objects.all()} == {day("2025-04-30")}
    assert Credit.objects.get().left_cents == 20_00
    assert imported.options["control"]["balance_cents"] == 119_00
    assert imported.options["control"]["imported_cents"] == 110_00
    assert imported.lines.get(refused=True).code == "generic_account"
    assert counts(load(organisation, fec)) == (0, 0, 3, 1)
    assert sound(organisation)


def test_a_fec_leaves_known_invoices_alone_and_never_chases_known_customers(
    organisation: Organisation, fec: str
) -> None:
    customer = a_customer(organisation, "CDUP", name="Dupont")
    known = an_invoice(customer, "F1", "2025-03-10", "2025-06-10", 100_00)
    services.record_payment(invoice=known, amount_cents=100_00, on=day("2025-06-01"), now=NOW)
    load(organisation, fec)
    known.refresh_from_db()
    assert (known.balance_cents, known.due) == (0, day("2025-06-10"))
    assert not Customer.objects.get().to_review
    assert not Invoice.objects.get(number="F2").plan_on

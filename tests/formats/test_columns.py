"""Columns are proposed from their headers, vetoed by their values, and remembered."""

import datetime as dt

import pytest

from relance.formats.columns import (
    ReadOptions,
    aged_buckets,
    check_columns,
    customer_key,
    guess_subject,
    inspect,
    propose,
    signature,
)
from relance.formats.fields import CATALOGUE, header_fields
from relance.formats.tabular import Row

from .conftest import opened

OPTIONS = ReadOptions(paid_on=dt.date(2026, 3, 31))


def _proposed(header: str, *rows: str) -> dict[str, str]:
    names = header.split(";")
    sample = [Row(n, list(row.split(";"))) for n, row in enumerate(rows, start=2)]
    return {code: names[index] for code, index in propose(names, sample).columns.items()}


def test_headers_of_a_french_export() -> None:
    found = _proposed(
        "N° PIÈCE;Code tiers;Raison sociale;Date de pièce;ECHEANCE;Montant T.T.C.;Reste à payer;"
        "Mode de règlement;Adresse mail;Chantier;Nature"
    )
    assert found == {
        "number": "N° PIÈCE",
        "customer_code": "Code tiers",
        "customer_name": "Raison sociale",
        "issue_on": "Date de pièce",
        "due_on": "ECHEANCE",
        "total": "Montant T.T.C.",
        "left": "Reste à payer",
        "mode": "Mode de règlement",
        "email": "Adresse mail",
        "site": "Chantier",
        "kind": "Nature",
    }


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("invoiceNumber", "number"),
        ("doc_id", "number"),
        ("customerID", "customer_code"),
        ("cust_number", "customer_code"),
        ("ID_CLIENTE", "customer_code"),
        ("name_customer", "customer_name"),
        ("InvoiceDate", "issue_on"),
        ("posting_date", "issue_on"),
        ("DATA_EMISSAO_DOCUMENTO", "issue_on"),
        ("DueDate", "due_on"),
        ("due_in_date", "due_on"),
        ("DATA_VENCIMENTO", "due_on"),
        ("InvoiceAmount", "total"),
        ("VALOR_A_PAGAR", "total"),
        ("SettledDate", "paid_on"),
        ("clear_date", "paid_on"),
        ("remaining_amount_with_tax", "left"),
        ("outstanding", "left"),
        ("Éch.", "due_on"),
        ("Nb relances", "level"),
    ],
)
def test_headers_met_elsewhere(header: str, code: str) -> None:
    assert header_fields(header)[0][0] == code


def test_the_more_usual_of_two_headers_wins() -> None:
    assert _proposed("Montant;Total TTC;Date;Date facture") == {
        "total": "Total TTC",
        "issue_on": "Date facture",
    }


def test_values_that_cannot_be_the_field_veto_its_header() -> None:
    found = _proposed("Facture;Date;Total TTC", "F1;lundi;12,50", "F2;mardi;3,00")
    assert found == {"number": "Facture", "total": "Total TTC"}


def test_a_header_that_contains_a_known_one_is_proposed_with_less_confidence() -> None:
    proposal = propose(["Numéro de facture client (export)", "Total TTC"])
    assert proposal.columns["number"] == 0
    assert proposal.confidence["number"] < proposal.confidence["total"] == 0.9


def test_what_is_missing_is_said() -> None:
    proposal = propose(["Total TTC", "truc"])
    assert proposal.unmapped == (1,)
    assert proposal.missing == ("Nom du client ou Code du client", "Date de facture ou Échéance")


def test_no_header_belongs_to_two_first_choices() -> None:
    firsts: dict[str, str] = {}
    for field in CATALOGUE:
        assert firsts.setdefault(field.label, field.code) == field.code
        assert header_fields(field.label)[0][0] == field.code


def test_a_signature_is_blind_to_case_and_accents_but_not_to_order() -> None:
    assert signature(["Échéance", "N° facture"]) == signature(["ECHEANCE", "n facture"])
    assert signature(["a", "b"]) != signature(["b", "a"])
    assert len(signature(["a"])) == 32


def test_the_subject_is_guessed() -> None:
    assert guess_subject(["Client", "Date", "Montant"]) == "invoices"
    assert guess_subject(["Client", "E-mail", "Ville"]) == "customers"


def test_a_mapping_that_cannot_be_read_is_refused() -> None:
    table = opened("Client;Date;Montant\nA;1/1/2026;3\n")
    assert check_columns(table, {"customer_name": 0, "issue_on": 1, "total": 2}, "invoices") == []
    codes = [f.code for f in check_columns(table, {"customer_name": 7}, "invoices")]
    assert codes == ["bad_mapping", "missing_column", "missing_column"]


def test_an_aged_balance_is_no_list_of_invoices() -> None:
    table = opened("Client;Non échu;1–30 j;31–60 j;61-90 j;> 90 j;Solde\nA;1;2;3;4;5;15\n")
    assert len(aged_buckets(table.header)) == 5
    columns = propose(table.header, table.sample()).columns
    (fault,) = check_columns(table, columns, "invoices")
    assert fault.code == "aged_balance"


def test_a_proved_column_settles_the_others() -> None:
    table = opened("Client;Date;Échéance;Montant\nA;1/2/2026;1/31/2026;1.50\n")
    profile = inspect(table, propose(table.header).columns, OPTIONS)
    assert {code: found.order for code, found in profile.orders.items()} == {
        "issue_on": "mdy",
        "due_on": "mdy",
    }
    assert profile.ambiguous_dates == ()
    assert profile.decimals == {"total": "."}


def test_dates_without_proof_are_said_ambiguous() -> None:
    table = opened("Client;Date;Montant\nA;1/2/2026;1\n")
    assert inspect(table, propose(table.header).columns, OPTIONS).ambiguous_dates == ("issue_on",)


def test_a_column_with_both_orders_stops_the_import_until_one_is_forced() -> None:
    table = opened("Client;Date;Montant\nA;31/1/2026;1\nB;1/31/2026;1\n")
    columns = propose(table.header).columns
    (fault,) = inspect(table, columns, OPTIONS).faults
    assert (fault.code, fault.column) == ("date_order_conflict", "Date")
    forced = ReadOptions(paid_on=OPTIONS.paid_on, date_order="dmy")
    assert inspect(table, columns, forced).faults == ()


def test_a_customer_is_its_code_else_its_folded_name() -> None:
    assert customer_key("c 01", "Dupont") == customer_key("C01", "DUPONT SA") == "c:c01"
    assert customer_key("", "Société  Dupont!") == customer_key("", "SOCIETE DUPONT")
    assert customer_key("", "★") == "n:★"
    assert customer_key("", "") == ""

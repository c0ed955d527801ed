"""What each row of a file of customers becomes."""

import datetime as dt

from relance.formats.columns import ReadOptions, propose
from relance.formats.customers import CustomerRow, read_customers
from relance.formats.faults import Fault
from relance.formats.values import Terms, emails_of, mode_of, terms_of

from .conftest import opened


def _read(text: str) -> list[CustomerRow | Fault]:
    table = opened(text)
    columns = propose(table.header, table.sample(), "customers").columns
    return list(read_customers(table, columns, ReadOptions(paid_on=dt.date(2026, 6, 30))))


def test_a_customer_with_its_details() -> None:
    (row,) = _read(
        "Identifiant client;Nom du client;Adresse;Adresse 2;Code postal;Ville;Pays;"
        "Email du responsable;Téléphone;Délai de paiement par défaut;Nom du plan de relance\n"
        "C1;Dupont;1 rue X;Bât. B;01000;Bourg;France;a@dupont.fr;04 74;45 jours fin de mois;Doux\n"
    )
    assert isinstance(row, CustomerRow)
    assert (row.customer_key, row.customer_code, row.customer_name) == ("c:c1", "C1", "Dupont")
    assert (row.party.address, row.party.postcode) == (("1 rue X", "Bât. B"), "01000")
    assert (row.party.city, row.party.country) == ("Bourg", "FR")
    assert (row.party.emails, row.party.phone) == (("a@dupont.fr",), "04 74")
    assert (row.terms, row.plan, row.extra) == (Terms(45, end_of_month=True), "Doux", False)


def test_further_lines_of_a_customer_are_further_contacts() -> None:
    first, second, third = _read(
        "Code client;Client;E-mail\nC1;Dupont;a@d.fr\nC1;DUPONT;b@d.fr\nC1;Dupont;a@d.fr\n"
    )
    assert isinstance(first, CustomerRow)
    assert isinstance(second, CustomerRow)
    assert (second.extra, second.party.emails) == (True, ("b@d.fr",))
    assert isinstance(third, Fault)
    assert (third.code, third.severity) == ("customer_repeated", "unchanged")


def test_a_line_without_customer_is_refused_and_a_total_skipped() -> None:
    found = _read("Code client;Client;Ville\nC1;A;Lyon\n;;Paris\n;;Total\n")
    assert [f.code for f in found if isinstance(f, Fault)] == ["missing_customer", "subtotal"]


def test_payment_terms_in_words() -> None:
    assert terms_of("30") == Terms(30)
    assert terms_of("45 j") == Terms(45)
    assert terms_of("30 jours FDM") == Terms(30, end_of_month=True)
    assert terms_of("Comptant") == Terms(0)
    assert terms_of("à voir") is None


def test_addresses_are_taken_out_of_what_surrounds_them() -> None:
    assert emails_of("Compta <a@B.fr>; c@d.com") == (("a@b.fr", "c@d.com"), ())
    assert emails_of("pas d'adresse") == ((), ("pas", "d'adresse"))
    assert emails_of("a@b") == ((), ("a@b",))


def test_payment_modes_in_words() -> None:
    assert mode_of("Virement SEPA") == "transfer"
    assert mode_of("PRLV") == "direct_debit"
    assert mode_of("CHQ") == "cheque"
    assert mode_of("Traite") == "bill"
    assert (mode_of(""), mode_of("troc")) == ("", "other")

"""Whom one asks for receipts, for what, and the message that leaves."""

import re
from datetime import date, timedelta

import pytest

from relance.accounts.models import BankRole, CollectRole, Organisation, User
from relance.bank.models import Transaction
from relance.bank.services.errors import BankRefused
from relance.receipts.doors import door_of, revoke
from relance.receipts.mail import Letter
from relance.receipts.models import Request
from relance.receipts.services.asking import open_request, prepare, readers, to_validate
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("bank", "collect", "wants", "eligible"),
    [
        (BankRole.R2, CollectRole.ALL, True, True),
        (BankRole.R3, CollectRole.FULL, True, True),
        (BankRole.R1, CollectRole.FULL, True, False),
        (BankRole.R3, CollectRole.OWN, True, False),
        (BankRole.R3, CollectRole.FULL, False, False),
        (BankRole.R0, CollectRole.NONE, True, False),
    ],
)
def test_the_three_conditions_hold_together_and_levels_above_qualify(
    bank: BankRole,
    collect: CollectRole,
    wants: bool,
    eligible: bool,
    dossier: Organisation,
    add_client: AddClient,
) -> None:
    """S0-12, S0-13, S0-14, S0-15, S0-28, D-22: those who cannot receive it are told why."""
    add_client("yann", bank, collect, wants)
    [reader] = readers(dossier)
    assert reader.eligible is eligible
    assert bool(reader.why_not) is not eligible


def test_the_accountants_of_the_firm_are_not_asked(
    dossier: Organisation, accountant: User, add_client: AddClient
) -> None:
    client = add_client()
    assert [reader.user for reader in readers(dossier)] == [client]


def test_the_count_follows_the_period(dossier: Organisation, bring: Bring) -> None:
    """S0-22, S0-23, S0-24: 18 over 2024 and 2025, 5 in October 2024."""
    for day in range(1, 6):
        bring(on=date(2024, 10, day))
    for month in range(1, 13):
        bring(on=date(2025, month, 15))
    bring(on=date(2024, 3, 1))
    bring(on=date(2024, 10, 7), missing="")
    bring(on=date(2026, 1, 1))
    both_years = to_validate(dossier, date(2024, 1, 1), date(2025, 12, 31))
    october = to_validate(dossier, date(2024, 10, 1), date(2024, 10, 31))
    assert (both_years.count(), october.count()) == (18, 5)


def _ask(
    dossier: Organisation, rows: list[Transaction], users: list[User], actor: User | None = None
) -> tuple[Request, Letter]:
    return open_request(
        organisation=dossier,
        kind=Request.Kind.MANUAL,
        rows=rows,
        users=users,
        on=TODAY,
        now=NOW,
        actor=actor,
    )


def test_a_request_is_kept_with_what_it_asked_of_whom(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User
) -> None:
    row, client = bring(), add_client()
    request, letter = _ask(dossier, [row], [client], accountant)
    row.refresh_from_db()
    assert (request.count, request.amount_cents, row.asked_on) == (1, 5602, TODAY)
    assert list(request.users.all()) == [client]
    assert [asked.transaction for asked in request.asked.all()] == [row]
    assert "Un" not in letter.subject
    assert letter.subject.startswith("1 justificatif")


def test_nothing_missing_makes_no_request(dossier: Organisation, add_client: AddClient) -> None:
    """S0-36."""
    with pytest.raises(BankRefused, match="Aucun justificatif"):
        _ask(dossier, [], [add_client()])
    assert not Request.objects.exists()


def test_nobody_who_may_not_receive_it_is_asked(
    dossier: Organisation, bring: Bring, add_client: AddClient, stranger: User
) -> None:
    """S0-28, S0-37; nor a person of another dossier."""
    lesser = add_client("paul", BankRole.R1)
    for users in ([], [lesser], [stranger]):
        with pytest.raises(BankRefused):
            _ask(dossier, [bring()], users)
    assert not Request.objects.exists()


def test_the_message_shows_four_transactions_each_with_its_link_and_voir_plus(
    dossier: Organisation, bring: Bring, accountant: User
) -> None:
    """S0-30, S0-31, D-04: the four most recent."""
    rows = [bring(label=f"OP{n}", on=TODAY - timedelta(days=n)) for n in range(6)]
    letter = prepare(dossier, rows, actor=accountant, url="https://r.example/j/T")
    for body in (letter.text, letter.html):
        assert [n for n in range(6) if f"OP{n}" in body] == [0, 1, 2, 3]
        links = re.findall(r"https://r\.example/j/T/(\d*)/?", body)
        assert [link for link in links if link.isdigit()] == [str(row.pk) for row in rows[:4]]
        assert "https://r.example/j/T/excel/" in body
    assert "2 autres opérations" in letter.html
    assert "Voir plus" not in prepare(dossier, rows[:4], actor=accountant).html


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (None, None, ""),
        (date(2024, 10, 1), date(2024, 10, 31), " pour octobre 2024"),
        (date(2024, 2, 1), date(2024, 2, 29), " pour février 2024"),
        (
            date(2024, 1, 1),
            date(2025, 12, 31),
            " du 1er\xa0janvier\xa02024 au 31\xa0décembre\xa02025",
        ),
        (date(2024, 10, 3), date(2024, 10, 3), " pour le 3\xa0octobre\xa02024"),
        (date(2024, 10, 3), None, " depuis le 3\xa0octobre\xa02024"),
        (None, date(2024, 10, 3), " jusqu’au 3\xa0octobre\xa02024"),
    ],
)
def test_the_message_names_the_period_that_was_chosen(
    dossier: Organisation, bring: Bring, first: date | None, last: date | None, said: str
) -> None:
    """S0-22, S0-23, S0-29: in its subject and its heading, whoever asks."""
    rows = [bring() for _n in range(5)]
    letter = prepare(dossier, rows, actor=None, first=first, last=last)
    assert letter.subject == f"5 justificatifs nous manquent{said}"
    assert letter.subject in letter.text
    assert letter.subject in letter.html


def test_the_four_shown_are_said_to_be_the_most_recent(dossier: Organisation, bring: Bring) -> None:
    """S0-30: only when there are more than the four."""
    rows = [bring() for _n in range(5)]
    assert "Voici les quatre plus récentes\xa0:" in prepare(dossier, rows, actor=None).text
    assert "plus récentes" not in prepare(dossier, rows[:4], actor=None).text


def test_what_was_found_is_to_be_confirmed_apart(
    dossier: Organisation, bring: Bring, accountant: User
) -> None:
    """D-23."""
    rows = [bring(label="FOURNI"), bring(label="TROUVE", missing="potential")]
    text = prepare(dossier, rows, actor=accountant).text
    assert text.index("FOURNI") < text.index("À confirmer") < text.index("TROUVE")


def test_what_lacks_a_part_says_how_much(
    dossier: Organisation, bring: Bring, accountant: User
) -> None:
    row = bring(-142000, missing="partial", covered_cents=-104000)
    assert "il manque 380,00" in prepare(dossier, [row], actor=accountant).text


def test_the_message_is_the_same_whoever_asks(dossier: Organisation, bring: Bring) -> None:
    """S0-29: a person signs it, or the firm; nothing else differs."""
    rows = [bring()]
    user = User(full_name="Anne Morel", email="a@b.example")
    by_hand = prepare(dossier, rows, actor=user, url="https://r.example/j/T")
    by_itself = prepare(dossier, rows, actor=None, url="https://r.example/j/T")
    assert by_hand.html.replace("Anne Morel", "Cabinet Morel et Associés") == by_itself.html


def test_words_of_the_bank_are_never_markup(
    dossier: Organisation, bring: Bring, accountant: User
) -> None:
    letter = prepare(
        dossier, [bring(label="<script>alert(1)</script>")], actor=accountant, note="<b>vite</b>"
    )
    assert "<script>" not in letter.html
    assert "<b>" not in letter.html


def test_a_link_opens_its_request_until_it_ends_or_is_revoked(
    dossier: Organisation, bring: Bring, add_client: AddClient
) -> None:
    request, letter = _ask(dossier, [bring()], [add_client()])
    found = re.search(r"/j/([\w-]{43})/", letter.text)
    assert found
    token = found[1]
    door = door_of(token, now=NOW)
    assert door is not None
    assert door.request == request
    assert token not in door.digest
    assert door_of(token, now=NOW + timedelta(days=61)) is None
    assert door_of(token[:-1] + ("A" if token[-1] != "A" else "B"), now=NOW) is None
    assert revoke(request, now=NOW)
    assert door_of(token, now=NOW) is None
    assert not revoke(request, now=NOW)

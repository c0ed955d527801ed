"""A run comes out in postal order under its cover sheet; what was paid since is taken out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import User
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import print_order, print_runs, services
from relance.outbox.delivery import Cancel, Rewrite, Verdict
from relance.outbox.models import Message, MessageInvoice, PrintRun, Status
from tests.outbox.conftest import NOW, make_draft, make_invoice
from tests.outbox.pdf_words import pages_of, squeezed
from tests.outbox.test_letters import Told, a_letter, print_them

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", "x", full_name="Camille Le Goff")


@pytest.fixture
def queue(customer: Customer) -> Callable[..., Message]:
    def queue(number: str, **more: Any) -> Message:
        draft = make_draft(
            customer,
            make_invoice(customer, number),
            channel="letter",
            recipients=[],
            letter=a_letter(name=f"Client {number}", **more),
            automatic=False,
        )
        [message] = services.queue(drafts=[draft], now=NOW).messages
        return message

    return queue


def bare(*to: str, registered: str = "") -> Message:
    return Message(pk=1, letter={"to": list(to), "registered": registered})


def test_registered_letters_come_first_then_country_postcode_town_and_street() -> None:
    """As the post sorts a deposit; France before the other countries."""
    in_order = [
        bare("Z", "9 RUE", "75001 PARIS", registered="Lettre recommandée"),
        bare("A", "1 RUE BASSE", "29000 QUIMPER"),
        bare("B", "12 RUE HAUTE", "29000 QUIMPER"),
        bare("C", "125 RUE HAUTE", "29000 QUIMPER"),
        bare("D", "1 RUE", "29200 BREST"),
        bare("E", "1 RUE", "69001 LYON"),
        bare("F", "Hauptstr. 1", "10115 BERLIN", "ALLEMAGNE"),
        bare("G", "Rue 1", "1000 BRUXELLES", "BELGIQUE"),
        bare("H", "Rue 1", "4000 LIEGE", "BELGIQUE"),
    ]

    assert print_order.sorted_for_the_post(reversed(in_order)) == in_order


def test_the_cover_sheet_lists_the_run_in_its_order_and_belongs_to_no_letter(
    queue: Callable[..., Message], camille: User, told: Told
) -> None:
    far = queue("F-1", to=["Zoé SARL", "1 RUE", "97400 SAINT DENIS"])
    near = queue("F-2", to=["Alix", "1 RUE", "01000 BOURG EN BRESSE"], rows=50)
    registered = queue("F-3", to=["Mid", "2 RUE", "44000 NANTES"], registered="Lettre recommandée")
    run = print_them(camille, told, far, near, registered).run

    with run.file.open("rb") as file:
        cover, *sheets = pages_of(file.read())
    assert (run.letters, run.pages, len(sheets)) == (3, 4, 4)
    assert squeezed("Préparé par Camille Le Goff") in cover
    assert cover.index("Mid") < cover.index("Alix") < cover.index("Zoé")
    for words in ("dont recommandés", "44000 NANTES", "97400 SAINT DENIS"):
        assert squeezed(words) in cover
    for message, name in ((registered, "Mid"), (near, "Alix"), (far, "Zoé")):
        message.refresh_from_db()
        assert message.letter
        first, count = message.letter["pages"]
        assert all("Bordereau" not in page for page in sheets)
        assert name in pages_of(print_runs.as_sent(message, now=NOW))[0]
        assert first >= 1
        assert count == (2 if name == "Alix" else 1)


def test_a_single_letter_needs_no_cover_sheet(
    queue: Callable[..., Message], camille: User, told: Told
) -> None:
    run = print_them(camille, told, queue("F-1")).run

    with run.file.open("rb") as file:
        [page] = pages_of(file.read())
    assert "Bordereau" not in page


def test_a_run_put_back_while_it_is_being_made_leaves_its_letters_as_they_are(
    queue: Callable[..., Message], camille: User, told: Told
) -> None:
    """What another person took back waits again; it is not cancelled over his head."""
    letter = queue("F-1")

    def put_back(batch: Sequence[Message]) -> dict[int, Verdict]:
        print_runs.put_back(run=PrintRun.objects.get())
        return {one.pk: Cancel("SETTLED") for one in batch}

    with pytest.raises(print_runs.NothingToPrintError) as nothing:
        print_runs.make(
            organisation=letter.organisation,
            message_ids=[letter.pk],
            actor=camille,
            now=NOW,
            hooks=replace(told.hooks, recheck=put_back),
        )
    letter.refresh_from_db()
    assert (letter.status, letter.print_run, nothing.value.dropped) == (Status.QUEUED, None, [])
    assert letter.lines.get().live
    assert told.ended == []


@pytest.fixture
def paid_since(
    queue: Callable[..., Message], camille: User, told: Told
) -> tuple[PrintRun, Message, Message]:
    """A run of two letters; the invoice of the first was paid after the print."""
    paid, owed = queue("F-1"), queue("F-2")
    run = print_them(camille, told, paid, owed).run
    Invoice.objects.filter(number="F-1").update(balance_cents=0)
    told.unwanted[paid.pk] = "SETTLED"
    return run, paid, owed


def test_what_was_paid_between_print_and_confirmation_stops_the_confirmation_and_is_shown(
    paid_since: tuple[PrintRun, Message, Message], camille: User, told: Told
) -> None:
    """The paper is still there: somebody must say whether it stays out of the post."""
    run, paid, _owed = paid_since

    with pytest.raises(print_runs.StaleLettersError) as shown:
        print_runs.confirm(run=run, actor=camille, now=LATER, hooks=told.hooks)

    assert [one.message for one in shown.value.stale] == [paid]
    run.refresh_from_db()
    assert run.confirmed_at is None
    assert told.recorded == []


def test_a_letter_taken_out_of_the_post_is_cancelled_and_the_others_are_sent(
    paid_since: tuple[PrintRun, Message, Message], camille: User, told: Told
) -> None:
    run, paid, owed = paid_since
    ids = [paid.pk]

    sent = print_runs.confirm(
        run=run, actor=camille, now=LATER, hooks=told.hooks, seen=ids, taken_out=ids
    )

    paid.refresh_from_db()
    owed.refresh_from_db()
    assert sent == 1
    assert (paid.status, paid.reason) == (Status.CANCELLED, "SETTLED")
    assert owed.status == Status.SENT
    assert told.recorded == [owed.pk]
    assert told.ended == ids
    assert not MessageInvoice.objects.filter(message=paid, live=True).exists()


def test_a_letter_that_was_posted_all_the_same_counts_as_sent(
    paid_since: tuple[PrintRun, Message, Message], camille: User, told: Told
) -> None:
    run, paid, owed = paid_since

    sent = print_runs.confirm(run=run, actor=camille, now=LATER, hooks=told.hooks, seen=[paid.pk])

    assert sent == 2
    assert sorted(told.recorded) == sorted([paid.pk, owed.pk])


def test_a_letter_of_which_a_part_was_paid_waits_again_to_be_printed_anew(
    queue: Callable[..., Message], camille: User, told: Told
) -> None:
    letter = queue("F-1")
    run = print_them(camille, told, letter).run
    Invoice.objects.update(balance_cents=1)
    verdict = Rewrite(
        subject="x", text="x", html="", amount_cents=1, lines=(), letter=letter.letter
    )
    hooks = replace(told.hooks, recheck=lambda batch: {one.pk: verdict for one in batch})

    sent = print_runs.confirm(
        run=run, actor=camille, now=LATER, hooks=hooks, seen=[letter.pk], taken_out=[letter.pk]
    )

    assert sent == 0
    assert list(print_runs.waiting(letter.organisation)) == [letter]


def test_only_letters_whose_facts_moved_are_asked_about_again(
    queue: Callable[..., Message], camille: User, told: Told
) -> None:
    run = print_them(camille, told, queue("F-1"), queue("F-2")).run

    def never(batch: object) -> Any:
        raise AssertionError("nothing moved")

    assert print_runs.stale(run, replace(told.hooks, recheck=never)) == []


def test_reprinting_keeps_the_same_file_and_tells_the_journal_who(
    queue: Callable[..., Message], camille: User, told: Told
) -> None:
    run = print_them(camille, told, queue("F-1")).run
    print_runs.confirm(run=run, actor=camille, now=LATER, hooks=told.hooks)
    name = run.file.name

    print_runs.reprint(run=run, actor=camille, on=LATER.date(), now=LATER)

    told_of = Event.objects.get(kind="letters_reprinted")
    assert (told_of.data["run"], told_of.data["letters"]) == (run.pk, 1)
    assert PrintRun.objects.get().file.name == name
    with pytest.raises(print_runs.NotPrintedError):
        print_runs.reprint(
            run=PrintRun(organisation=run.organisation), actor=camille, on=NOW.date(), now=NOW
        )

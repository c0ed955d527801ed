"""Letters: one clean page, many in one PDF, sent once the print is confirmed (D-07)."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import User
from relance.ledger.models import Customer, Invoice
from relance.outbox import claims, delivery, print_runs, services
from relance.outbox.channels import letter as paper
from relance.outbox.delivery import Cancel, Hooks
from relance.outbox.models import Message, MessageInvoice, PrintRun, Status
from tests.outbox.conftest import NOW, make_draft, make_invoice
from tests.outbox.pdf_words import pages_of, squeezed

TEXT = "Sauf erreur de notre part, ces factures restent impayées."


def a_letter(rows: int = 1, name: str = "Pharmacie Delmas", **more: object) -> dict[str, Any]:
    return {
        "to": [name, "12 rue des Halles", "29000 QUIMPER"],
        "from": ["Ateliers Kerdoncuff", "4 quai de l’Odet", "29000 Quimper"],
        "date": "24 novembre 2026",
        "dateline": "Quimper, le 24 novembre 2026",
        "language": "fr",
        "registered": "",
        "subject_label": "Objet",
        "page_label": "Page",
        "subject": "Vos factures échues",
        "blocks": [
            {"kind": "text", "text": TEXT},
            {"kind": "invoices", "text": "F-1"},
            {"kind": "text", "text": "Cordialement,\nCamille Le Goff"},
        ],
        "head": ["Facture", "Date", "Échéance", "Reste dû"],
        "rows": [
            [f"F-{n:04d}", "16 oct. 2026", "15 nov. 2026", "100,00 €"] for n in range(1, rows + 1)
        ],
        "total": ["Total à régler", f"{rows}00,00 €"],
    } | more


def test_a_letter_is_one_page_with_its_address_its_words_and_its_invoices() -> None:
    """S2-01: what the envelope starts."""
    printed = paper.render([a_letter(rows=3)], at=NOW)

    [page] = pages_of(printed.pdf)
    assert (printed.starts, printed.pages) == ([0], 1)
    for words in ("Pharmacie Delmas", "29000 QUIMPER", "Quimper, le 24 novembre 2026", TEXT):
        assert squeezed(words) in page
    assert page.index("F-0001") < page.index("F-0003") < page.index(squeezed("Total à régler"))
    assert "Page" not in page


def test_a_long_table_goes_on_with_its_heading_on_a_second_page() -> None:
    printed = paper.render([a_letter(rows=50), a_letter(name="Roussel BTP")], at=NOW)

    first, second, other = pages_of(printed.pdf)
    assert list(paper.spans(printed)) == [(0, 2), (2, 1)]
    assert "Page1/2" in first
    assert "Page2/2" in second
    assert second.startswith("AteliersKerdoncuff24novembre2026PharmacieDelmasPage2/2")
    assert squeezed("Reste dû") in first
    assert squeezed("Reste dû") in second
    assert "F-0050" in second
    assert "Delmas" not in other


@pytest.mark.parametrize(
    "words",
    [
        '#panic("x")',
        "$ x^2",
        "*gras* _x_ @nobody <label> [a] #{ 1 + 1 } \\ //",
        '"} {"kind": "x',
        "mot" * 400,
        "",
    ],
)
def test_whatever_is_typed_is_printed_as_it_was_typed(words: str) -> None:
    """No user text becomes source: neither code, nor markup, nor a line too long for the page."""
    body = [{"kind": "text", "text": words}]
    printed = paper.render([a_letter(blocks=body, subject=words, name=words)], at=NOW)

    assert words.replace(" ", "") in pages_of(printed.pdf)[0].replace("\u200b", "")


def test_the_same_letters_give_the_same_bytes_and_one_of_them_can_be_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paper, "AT_ONCE", 2)
    letters = [a_letter(rows=1 + 49 * (n == 1), name=f"Client {n}") for n in range(5)]

    one, two = paper.render(letters, at=NOW), paper.render(letters, at=NOW)

    assert one.pdf == two.pdf
    assert one.starts == [0, 1, 3, 4, 5]
    alone = paper.extract(one.pdf, 1, 2)
    assert [squeezed("Client 1") in page for page in pages_of(alone)] == [True, True]


class Told:
    """Hooks that remember what they were told and refuse what they are asked to."""

    def __init__(self) -> None:
        self.recorded: list[int] = []
        self.ended: list[int] = []
        self.unwanted: dict[int, str] = {}

    @property
    def hooks(self) -> Hooks:
        def ids(batch: Sequence[Message]) -> list[int]:
            return [message.pk for message in batch]

        return Hooks(
            recheck=lambda batch: {
                m.pk: Cancel(self.unwanted[m.pk]) for m in batch if m.pk in self.unwanted
            },
            record=lambda batch: self.recorded.extend(ids(batch)),
            ended=lambda batch: self.ended.extend(ids(batch)),
        )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", "x", full_name="Camille Le Goff")


@pytest.fixture
def yann(db: None) -> User:
    return User.objects.create_user("yann@martin.example", "x", full_name="Yann Riou")


@pytest.fixture
def queue_letter(customer: Customer) -> Callable[..., Message]:
    def queue_letter(number: str) -> Message:
        invoice = make_invoice(customer, number)
        draft = make_draft(
            customer, invoice, channel="letter", recipients=[], letter=a_letter(), automatic=False
        )
        [message] = services.queue(drafts=[draft], now=NOW).messages
        return message

    return queue_letter


def print_them(user: User, told: Told, *letters: Message) -> print_runs.Made:
    return print_runs.make(
        organisation=letters[0].organisation,
        message_ids=[one.pk for one in letters],
        actor=user,
        now=NOW,
        hooks=told.hooks,
    )


def test_a_letter_without_postal_address_is_refused(customer: Customer, invoice: Invoice) -> None:
    draft = make_draft(
        customer, invoice, channel="letter", recipients=[], letter=a_letter() | {"to": []}
    )

    queued = services.queue(drafts=[draft], now=NOW)

    assert not queued.messages
    assert [refusal.code for refusal in queued.refused] == ["NO_ADDRESS"]


def test_no_worker_takes_a_letter(queue_letter: Callable[..., Message], told: Told) -> None:
    letter = queue_letter("F-1")
    report = delivery.deliver_batch(
        worker="w", now=lambda: NOW + timedelta(days=30), hooks=told.hooks
    )

    assert report.claimed == 0
    letter.refresh_from_db()
    assert letter.status == Status.QUEUED
    assert claims.claim(worker="w", at=NOW, limit=9, channels=list(delivery.CHANNELS)) == []


def test_a_level_rises_when_the_print_is_confirmed_and_not_before(
    queue_letter: Callable[..., Message], camille: User, told: Told
) -> None:
    """D-07, S1-13: « Imprimer », then « Confirmer l’impression »."""
    one, two = queue_letter("F-1"), queue_letter("F-2")

    run = print_them(camille, told, one, two).run

    assert (run.letters, run.pages) == (2, 2)
    with run.file.open("rb") as file:
        cover, *sheets = pages_of(file.read())
    assert squeezed(f"Bordereau du tirage n° {run.pk}") in cover
    assert len(sheets) == 2
    assert told.recorded == []
    one.refresh_from_db()
    assert one.status == Status.QUEUED

    sent = print_runs.confirm(
        run=run, actor=camille, now=NOW + timedelta(minutes=9), hooks=told.hooks
    )

    one.refresh_from_db()
    assert sent == 2
    assert told.recorded == [one.pk, two.pk]
    assert (one.status, one.recorded) == (Status.SENT, True)
    assert one.sent_at == NOW + timedelta(minutes=9)
    assert delivery.record_pending(hooks=told.hooks) == 0


def test_two_people_confirm_and_the_second_learns_who_was_first(
    queue_letter: Callable[..., Message], camille: User, yann: User, told: Told
) -> None:
    run = print_them(camille, told, queue_letter("F-1")).run
    print_runs.confirm(run=run, actor=yann, now=NOW, hooks=told.hooks)

    with pytest.raises(print_runs.AlreadyConfirmedError) as first:
        print_runs.confirm(run=run, actor=camille, now=NOW, hooks=told.hooks)

    assert first.value.run.confirmed_by == yann
    assert len(told.recorded) == 1
    with pytest.raises(print_runs.AlreadyConfirmedError):
        print_runs.put_back(run=run)


def test_a_print_without_its_pdf_cannot_be_confirmed(
    queue_letter: Callable[..., Message], camille: User, told: Told
) -> None:
    """It is being laid out, or its process died: nothing is on paper, no level may rise (D-07)."""
    message = queue_letter("F-1")
    run = PrintRun.objects.create(
        organisation=message.organisation, made_by=camille, made_at=NOW, letters=0, pages=0
    )
    Message.objects.filter(pk=message.pk).update(print_run=run)

    with pytest.raises(print_runs.NotPrintedError):
        print_runs.confirm(run=run, actor=camille, now=NOW, hooks=told.hooks)

    message.refresh_from_db()
    assert (message.status, told.recorded) == (Status.QUEUED, [])
    assert print_runs.put_back(run=run) == 1


@pytest.mark.parametrize("verb", ["cancel", "hold", "edit", "cancel_many"])
def test_a_letter_that_is_on_paper_is_neither_called_back_nor_changed(
    queue_letter: Callable[..., Message], camille: User, told: Told, verb: str
) -> None:
    """D-07: its paper leaves, and its level rises with the confirmation of its run."""
    letter = queue_letter("F-1")
    run = print_them(camille, told, letter).run
    if verb == "cancel_many":
        ids = [letter.pk]
        assert services.cancel_many(message_ids=ids, reason="BY_HAND", now=NOW) == []
    else:
        more: dict[str, Any] = {
            "cancel": {"reason": "BY_HAND", "now": NOW},
            "hold": {},
            "edit": {"subject": "x", "text": "x", "html": "", "recipients": [], "copies": []},
        }[verb]
        with pytest.raises(services.PrintedError) as printed:
            getattr(services, verb)(message=letter, **more)
        assert printed.value.run.made_by == camille
    assert print_runs.confirm(run=run, actor=camille, now=NOW, hooks=told.hooks) == 1
    assert told.recorded == [letter.pk]


def test_a_letter_is_held_by_one_run_only(
    queue_letter: Callable[..., Message], camille: User, yann: User, told: Told
) -> None:
    """Two people print the same list: the second prints what the first did not."""
    one, two = queue_letter("F-1"), queue_letter("F-2")
    print_them(camille, told, one)

    made = print_them(yann, told, one, two)

    assert made.run.letters == 1
    assert [(m.pk, m.print_run.made_by) for m in made.taken if m.print_run] == [(one.pk, camille)]
    with pytest.raises(print_runs.NothingToPrintError) as nothing:
        print_them(yann, told, one, two)
    assert len(nothing.value.taken) == 2
    assert PrintRun.objects.count() == 2


def test_what_was_paid_before_the_print_is_cancelled_and_not_printed(
    queue_letter: Callable[..., Message], camille: User, told: Told
) -> None:
    """A message about a paid invoice never leaves: the re-check comes before the printer."""
    paid, owed = queue_letter("F-1"), queue_letter("F-2")
    told.unwanted[paid.pk] = "SETTLED"

    made = print_them(camille, told, paid, owed)

    paid.refresh_from_db()
    assert made.run.letters == 1
    assert (paid.status, paid.reason) == (Status.CANCELLED, "SETTLED")
    assert told.ended == [paid.pk]
    assert not MessageInvoice.objects.filter(message=paid, live=True).exists()


def test_a_spoilt_print_is_put_back_and_the_letters_wait_again(
    queue_letter: Callable[..., Message], camille: User, told: Told
) -> None:
    letter = queue_letter("F-1")
    run = print_them(camille, told, letter).run
    storage, name = run.file.storage, run.file.name

    assert print_runs.put_back(run=run) == 1
    assert print_runs.put_back(run=run) == 0

    assert list(print_runs.waiting(letter.organisation)) == [letter]
    assert not PrintRun.objects.exists()
    assert name
    assert storage.exists(name)  # until the transaction of the test ends


def test_the_letter_as_it_was_sent_is_its_pages_of_the_print(
    queue_letter: Callable[..., Message], camille: User, told: Told
) -> None:
    """S2-17, for a letter: the paper itself, whatever changed since."""
    one, two = queue_letter("F-1"), queue_letter("F-2")
    before = print_runs.as_sent(two, now=NOW)
    assert len(pages_of(before)) == 1
    run = print_them(camille, told, one, two).run
    print_runs.confirm(run=run, actor=camille, now=NOW, hooks=told.hooks)

    two.refresh_from_db()
    two.letter = {**(two.letter or {}), "subject": "Autre chose"}
    [page] = pages_of(print_runs.as_sent(two, now=NOW))

    assert squeezed("Vos factures échues") in page
    assert "Autre" not in page


def test_other_words_keep_the_table_of_invoices(queue_letter: Callable[..., Message]) -> None:
    letter = queue_letter("F-1")

    services.edit(
        message=letter,
        subject="Un mot",
        text="Bonjour,\n\nF-1\n\nÀ bientôt.",
        html="",
        recipients=[],
        copies=[],
    )

    assert letter.letter
    assert letter.letter["subject"] == "Un mot"
    assert [block["kind"] for block in letter.letter["blocks"]] == ["text", "invoices", "text"]

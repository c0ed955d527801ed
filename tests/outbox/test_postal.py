"""Letters that leave by a provider: once, by the worker or by the printer, never by both."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.core.files.base import ContentFile

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer, Invoice
from relance.outbox import claims, delivery, identity, print_runs, providers, services
from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal import PostalChannel
from relance.outbox.channels.postal.accounts import secrets_of, with_secrets
from relance.outbox.channels.postal.base import AddressError, address_of
from relance.outbox.channels.postal.channel import letter_of
from relance.outbox.channels.postal.fake import FakePostal
from relance.outbox.delivery import Hooks, Report
from relance.outbox.models import Mailbox, Message, PostalAccount, Pretended, Status, Tracking
from tests.outbox.conftest import NOW, Clock, make_draft, make_invoice
from tests.outbox.pdf_words import pages_of, squeezed
from tests.outbox.test_letters import a_letter

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(organisation: Organisation) -> PostalAccount:
    return PostalAccount.objects.create(organisation=organisation, provider="fake", active=True)


@pytest.fixture
def queue_letter(customer: Customer) -> Callable[..., Message]:
    def queue_letter(*invoices: Invoice, **fields: Any) -> Message:
        to = fields.pop("to", ["Pharmacie Delmas", "12 rue des Halles", "29000 QUIMPER"])
        values = {"channel": "letter", "recipients": [], "letter": a_letter() | {"to": to}}
        draft = make_draft(customer, *invoices, **{**values, **fields})
        return services.queue(drafts=[draft], now=NOW).messages[0]

    return queue_letter


def deliver(clock: Clock, faults: list[DeliveryError] | None = None) -> Report:
    if faults is not None:

        class Faulty(PostalChannel):
            def _open(self, organisation_id: int) -> Any:
                account = PostalAccount.objects.get(organisation_id=organisation_id, active=True)
                return account, FakePostal(organisation_id, faults)

        return _deliver(clock, Faulty)
    return _deliver(clock, PostalChannel)


def _deliver(clock: Clock, channel: type[PostalChannel]) -> Report:
    ways = {"letter": channel, "registered_letter": channel}
    return delivery.deliver_batch(
        worker=identity.new_name(), now=clock, hooks=Hooks(), channels=ways
    )


def test_a_letter_leaves_by_the_provider_and_its_reference_is_kept(
    account: PostalAccount, queue_letter: Callable[..., Message], invoice: Invoice, clock: Clock
) -> None:
    """D-07: it is sent once the provider has it."""
    message = queue_letter(invoice)
    assert deliver(clock).sent == 1
    message.refresh_from_db()
    [held] = Pretended.objects.all()
    assert (message.status, message.provider_ref) == (Status.SENT, held.ref)
    assert message.poll_after is not None
    [row] = Tracking.objects.all()
    assert (row.status, row.detail) == ("submitted", f"{held.ref} · 1,52 € HT")
    assert deliver(clock) == Report()


def test_without_an_account_or_with_one_switched_off_letters_wait_for_the_printer(
    queue_letter: Callable[..., Message], organisation: Organisation, clock: Clock
) -> None:
    queue_letter()
    assert deliver(clock) == Report()
    account = PostalAccount.objects.create(organisation=organisation, provider="fake")
    assert deliver(clock) == Report()
    account.active = True
    account.save()
    assert deliver(clock).sent == 1


def test_a_registered_letter_leaves_on_a_click_only(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    queue_letter(channel="registered_letter", automatic=True)
    assert deliver(clock) == Report()
    mine = queue_letter(channel="registered_letter", automatic=False)
    assert deliver(clock).sent == 1
    assert Pretended.objects.get().what["service"] == "lrare"
    mine.refresh_from_db()
    assert mine.status == Status.SENT


def test_what_a_person_prints_no_worker_submits(
    account: PostalAccount, queue_letter: Callable[..., Message], owner: User, clock: Clock
) -> None:
    message = queue_letter()
    print_runs.make(
        organisation=message.organisation,
        message_ids=[message.pk],
        actor=owner,
        now=NOW,
        hooks=Hooks(),
    )
    assert deliver(clock) == Report()
    assert Pretended.objects.count() == 0


def test_what_a_worker_has_claimed_no_person_prints(
    account: PostalAccount, queue_letter: Callable[..., Message], owner: User, clock: Clock
) -> None:
    message = queue_letter()
    claimed = claims.claim(worker="w", at=clock(), limit=5, channels=["letter"])
    assert [one.pk for one in claimed] == [message.pk]
    with pytest.raises(print_runs.NothingToPrintError):
        print_runs.make(
            organisation=message.organisation,
            message_ids=[message.pk],
            actor=owner,
            now=NOW,
            hooks=Hooks(),
        )
    message.refresh_from_db()
    assert (message.status, message.print_run) == (Status.SENDING, None)


def test_a_letter_has_no_mailbox_and_its_providers_fault_is_none_of_a_mailbox(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    """A plan's mailbox is that of its mails: when the post fails they go on leaving."""
    box = Mailbox.objects.create(
        organisation=account.organisation, address="compta@martin.example", paused_until=None
    )
    message = queue_letter(mailbox=box)
    message.refresh_from_db()
    assert message.mailbox is None
    Message.objects.filter(pk=message.pk).update(mailbox=box)  # as they were stored before
    report = deliver(clock, [DeliveryError("solde", unreachable=True)])
    assert (report.postponed, report.uncertain) == (1, 0)
    box.refresh_from_db()
    message.refresh_from_db()
    assert (box.failures, box.paused_until) == (0, None)
    assert (message.status, message.attempts) == (Status.QUEUED, 0)


def test_of_two_workers_one_submits(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    message = queue_letter()
    [mine] = claims.claim(worker="a", at=clock(), limit=5, channels=["letter"])
    assert claims.claim(worker="b", at=clock(), limit=5, channels=["letter"]) == []
    claims.give_back(worker="a")
    [theirs] = claims.claim(worker="b", at=clock(), limit=5, channels=["letter"])
    with pytest.raises(claims.ClaimLostError):
        PostalChannel().deliver(
            mine,
            at=clock(),
            hand_over=lambda: claims.mark_handing(message=mine, worker="a", at=clock()),
        )
    PostalChannel().deliver(
        theirs,
        at=clock(),
        hand_over=lambda: claims.mark_handing(message=theirs, worker="b", at=clock()),
    )
    assert Pretended.objects.filter(key=message.message_ref[1:33]).count() == 1


def test_a_lost_answer_leaves_it_in_doubt_until_the_provider_is_asked(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    """Rule 4: never resent by itself; a provider that can tell settles it."""
    message = queue_letter()
    report = deliver(clock, [DeliveryError("timeout", uncertain=True)])
    message.refresh_from_db()
    assert (report.uncertain, message.status) == (1, Status.UNCERTAIN)
    assert deliver(clock) == Report()
    assert providers.settle_doubts(now=clock()) == 0
    clock.forward(minutes=11)
    assert providers.settle_doubts(now=clock()) == 1
    message.refresh_from_db()
    held = Pretended.objects.get()
    assert (message.status, message.provider_ref) == (Status.SENT, held.ref)
    assert deliver(clock) == Report()


def test_one_killed_before_it_arrived_leaves_again_once_the_provider_says_so(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    message = queue_letter()
    [mine] = claims.claim(worker="dead", at=clock(), limit=5, channels=["letter"])
    claims.mark_handing(message=mine, worker="dead", at=clock())
    delivery.settle_claims(claimant="dead", at=clock(), hooks=Hooks())
    clock.forward(minutes=11)
    assert providers.settle_doubts(now=clock()) == 1
    message.refresh_from_db()
    assert message.status == Status.QUEUED
    assert deliver(clock).sent == 1
    assert Pretended.objects.count() == 1


def test_sent_again_by_a_person_it_is_still_one_letter(
    account: PostalAccount, queue_letter: Callable[..., Message], owner: User, clock: Clock
) -> None:
    """The key is the same at every try: the provider refuses the second."""
    message = queue_letter()
    deliver(clock, [DeliveryError("timeout", uncertain=True)])
    message.refresh_from_db()
    services.settle_uncertain(message=message, sent=False, actor=owner, now=clock())
    assert deliver(clock).sent == 1
    assert Pretended.objects.count() == 1
    message.refresh_from_db()
    assert message.provider_ref == Pretended.objects.get().ref


def test_an_account_out_of_order_keeps_its_letters_and_nobody_elses(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    first, second = queue_letter(), queue_letter()
    report = deliver(clock, [DeliveryError("NOT_ENOUGH_CREDIT", unreachable=True)])
    assert (report.sent, report.unreachable) == (0, "")
    for message in (first, second):
        message.refresh_from_db()
        assert (message.status, message.attempts) == (Status.QUEUED, 0)
        assert message.not_before == NOW + timedelta(minutes=15)
    account.refresh_from_db()
    assert account.check_error == "NOT_ENOUGH_CREDIT"
    assert deliver(clock) == Report()
    clock.forward(minutes=15)
    assert deliver(clock).sent == 2
    account.refresh_from_db()
    assert account.check_error == ""


def test_an_address_that_is_none_fails_at_once_and_costs_nobody_else(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    message = queue_letter(to=["Delmas", "quelque part"])
    queue_letter()
    report = deliver(clock)
    assert (report.failed, report.sent) == (1, 1)
    message.refresh_from_db()
    assert message.status == Status.FAILED


def test_the_provider_is_asked_in_its_time_and_what_it_tells_is_kept_once(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    message = queue_letter()
    deliver(clock)
    assert list(providers.poll(now=clock())) == []
    clock.forward(hours=6)
    [news] = providers.poll(now=clock())
    assert [row.status for row in news.rows] == ["queued", "printed", "posted"]
    assert list(providers.poll(now=clock())) == []
    clock.forward(days=4)
    [news] = providers.poll(now=clock())
    assert [row.status for row in news.rows] == ["in_transit", "delivered"]
    assert news.came_back is None
    message.refresh_from_db()
    assert message.poll_after is None


def test_a_letter_that_comes_back_is_news(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    queue_letter(to=["Inconnu SARL", "1 rue Perdue", "29000 QUIMPER"])
    deliver(clock)
    clock.forward(days=4)
    [news] = providers.poll(now=clock())
    assert news.came_back is not None
    assert news.came_back.status == tracking.RETURNED


def test_the_papers_of_a_registered_letter_are_kept(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock, tmp_path: Any
) -> None:
    message = queue_letter(channel="registered_letter", automatic=False)
    deliver(clock)
    clock.forward(days=4)
    [_news] = providers.poll(now=clock())
    kept = {row.status: row for row in Tracking.objects.exclude(proof="")}
    assert set(kept) == {"deposit", "receipt"}
    assert kept["receipt"].proof.read().startswith(b"%PDF")
    message.refresh_from_db()
    assert message.poll_after is None
    assert providers.look(message, now=clock()) is None


def test_a_letter_may_be_taken_back_until_it_is_printed(
    account: PostalAccount, queue_letter: Callable[..., Message], clock: Clock
) -> None:
    message = queue_letter()
    deliver(clock)
    message.refresh_from_db()
    assert providers.take_back(message, now=clock()) is not None
    assert Tracking.objects.filter(message=message, status="cancelled").exists()
    with pytest.raises(providers.TooLateError):
        providers.take_back(message, now=clock())


def test_keys_are_kept_encrypted_and_a_token_beside_them(organisation: Organisation) -> None:
    account = PostalAccount(organisation=organisation, provider="merci_facteur")
    with_secrets(account, service_id="srv", secret_key="s3cret", user_id="7")
    with_secrets(account, token="jeton")
    account.save()
    stored = PostalAccount.objects.get().secrets
    assert "s3cret" not in stored
    assert secrets_of(account)["secret_key"] == "s3cret"
    assert secrets_of(account)["token"] == "jeton"


@pytest.mark.parametrize(
    ("lines", "postcode", "city", "country", "between"),
    [
        (["Delmas", "12 rue X", "29000 QUIMPER"], "29000", "QUIMPER", "FRANCE", 1),
        (["Delmas", "12 rue X", "BP 4", "29000 BREST CEDEX"], "29000", "BREST CEDEX", "FRANCE", 2),
        (["Nous", "4 quai", "29000 Quimper", "SIREN 552 100 554"], "29000", "Quimper", "FRANCE", 1),
        (["Peeters", "Rue X 4", "1000 BRUXELLES", "BELGIQUE"], "1000", "BRUXELLES", "BELGIQUE", 1),
        (["Smith", "4 Road", "SW1A 1AA HULL", "IRLANDE"], "SW1A 1AA", "HULL", "IRLANDE", 1),
    ],
)  # fmt: skip
def test_an_address_block_is_read_as_the_post_reads_it(
    lines: list[str], postcode: str, city: str, country: str, between: int
) -> None:
    found = address_of(lines)
    assert (found.name, found.postcode, found.city, found.country) == (
        lines[0],
        postcode,
        city,
        country,
    )
    assert len(found.lines) == between


def test_lines_without_a_town_are_no_address() -> None:
    with pytest.raises(AddressError):
        address_of(["Delmas", "12 rue des Halles"])


@pytest.mark.parametrize("missing", [False, True])
def test_a_provider_encloses_all_the_pieces_that_a_letter_names_or_it_names_none(
    account: PostalAccount,
    queue_letter: Callable[..., Message],
    invoice: Invoice,
    customer: Customer,
    settings: Any,
    tmp_path: Path,
    missing: bool,
) -> None:
    """Nobody puts paper into its envelope: what is not in the PDF is not enclosed."""
    settings.MEDIA_ROOT = tmp_path
    other = make_invoice(customer, "F-2")
    paper = io.BytesIO()
    with pikepdf.new() as pdf:
        for _page in range(2):
            pdf.add_blank_page(page_size=(595, 842))
        pdf.save(paper)
    for one in (invoice,) if missing else (invoice, other):
        one.document.save("f.pdf", ContentFile(paper.getvalue()))
    to = ["Pharmacie Delmas", "12 rue des Halles", "29000 QUIMPER"]
    named = {"to": to, "enclosures": ["facture F-1", "facture F-2"], "enclosures_label": "P. J."}
    message = queue_letter(invoice, other, letter=a_letter() | named)

    given = letter_of(message, account, at=NOW).pdf
    message.provider_ref = "501"
    assert print_runs.as_sent(message, now=NOW) == given
    with pikepdf.open(io.BytesIO(given)) as whole:
        assert len(whole.pages) == (1 if missing else 5)
    assert (squeezed("facture F-1") in pages_of(given)[0]) is not missing


def test_a_provider_that_answers_slowly_does_not_keep_the_worker(
    account: PostalAccount,
    queue_letter: Callable[..., Message],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left is asked about at the next turn."""
    for _letter in range(2):
        queue_letter()
    assert deliver(clock).sent == 2
    clock.forward(hours=7)
    seconds = iter(range(0, 1000, providers.SECONDS_A_TURN - 1))
    monkeypatch.setattr(providers, "monotonic", lambda: next(seconds))
    assert len(list(providers.poll(now=clock()))) == 1
    assert len(list(providers.poll(now=clock()))) == 1
    assert list(providers.poll(now=clock())) == []

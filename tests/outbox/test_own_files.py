"""Own files and the RIB go with messages; what is too heavy goes as a link."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.core.files.base import ContentFile
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import delivery, doors, own_files, weights
from relance.outbox.models import Message, MessageFile, OwnFile

from .conftest import NOW, Clock, Server, make_invoice
from .test_email import parsed, whole
from .test_mailbox_delivery import deliver

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]
PDF = b"%PDF-1.4\nconditions\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")


@pytest.fixture
def keep(organisation: Organisation, camille: User) -> Callable[..., OwnFile]:
    def keep(name: str = "CGV 2026.pdf", raw: bytes = PDF) -> OwnFile:
        return own_files.add(
            organisation, name=name, raw=raw, actor=camille, on=NOW.date(), now=NOW
        )

    return keep


def png() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (3, 3)).save(held, "PNG")
    return held.getvalue()


def test_the_content_decides_what_a_file_is(keep: Callable[..., OwnFile]) -> None:
    assert (keep("logo.pdf", png()).name, keep("../../cgv\n.exe").name) == ("logo.png", "cgv.pdf")
    for raw, code in (
        (b"", "EMPTY"),
        (b"MZ\x90", "KIND"),
        (b"<html><script>", "KIND"),
        (b"%PDF-" + b"x" * own_files.MOST_BYTES, "TOO_HEAVY"),
    ):
        with pytest.raises(own_files.FileRefusedError, match=code):
            keep("a.pdf", raw)
    assert OwnFile.objects.count() == 2


def test_the_same_file_is_kept_once_and_the_journal_knows(
    keep: Callable[..., OwnFile], organisation: Organisation, camille: User
) -> None:
    first = keep()
    assert keep() == first
    own_files.retire(first, actor=camille, on=NOW.date(), now=NOW)
    assert list(own_files.offered(organisation)) == []
    assert Path(first.file.path).exists(), "messages keep it"
    assert keep() != first
    kinds = Event.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["own_file_added", "own_file_retired", "own_file_added"]


def test_own_files_leave_with_many_messages_from_one_stored_file(
    keep: Callable[..., OwnFile], queue_one: QueueOne
) -> None:
    own = keep("Conditions générales.pdf")
    messages = [queue_one(enclosed=[own]) for _ in range(3)]
    assert {one.file.name for one in MessageFile.objects.all()} == {own.file.name}
    [part] = parsed(messages[0]).iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("Conditions générales.pdf", PDF)
    assert part.get_content_type() == "application/pdf"


def test_the_rib_is_one_page_made_once_until_the_account_changes(
    organisation: Organisation,
) -> None:
    assert own_files.rib_of(organisation, now=NOW) is None
    organisation.iban, organisation.bic = "FR76 3000 6000 0112 3456 7890 189", "AGRIFRPP"
    organisation.name = 'Martin #panic("x")'
    first = own_files.rib_of(organisation, now=NOW)
    assert first is not None
    assert own_files.rib_of(organisation, now=NOW) == first
    document = pypdfium2.PdfDocument(first.file.read())
    text = document[0].get_textpage().get_text_bounded()
    assert len(document) == 1
    for words in ("FR76 3000 6000 0112 3456 7890 189", "AGRIFRPP", 'Martin #panic("x")'):
        assert words in text
    organisation.bic = ""
    assert own_files.rib_of(organisation, now=NOW) != first
    assert list(own_files.offered(organisation)) == [], "it is ticked by a box of its own"


# --- too heavy ---------------------------------------------------------------------------------


@pytest.fixture
def heavy(customer: Customer, settings: Any) -> Callable[[str], Invoice]:
    settings.MAIL_MAX_BYTES = 100_000

    def heavy(number: str) -> Invoice:
        invoice = make_invoice(customer, number)
        invoice.document.save(f"{number}.pdf", ContentFile(b"%PDF-" + b"x" * 60_000))
        return invoice

    return heavy


def test_beyond_the_limit_a_link_stands_in_for_the_pdfs(
    heavy: Callable[[str], Invoice],
    keep: Callable[..., OwnFile],
    queue_one: QueueOne,
    server: Server,
    clock: Clock,
) -> None:
    """Spec mail B2: under 10 MB after base64; own files stay, what is stored is what leaves."""
    light = queue_one(heavy("F-1"), enclosed=[keep()])
    over = queue_one(heavy("F-2"), heavy("F-3"), enclosed=[keep()])

    assert deliver(clock).sent == 2

    over.refresh_from_db()
    link = doors.link_of(over)
    assert over.by_link
    assert over.text.endswith(f"Vous les trouvez ici :\n{link}\n")
    assert f'<a href="{link}">' in over.html
    mails = {mail["Message-ID"]: mail for mail in (s.mail() for s in server.sink.mails())}
    assert [p.get_filename() for p in mails[over.message_ref].iter_attachments()] == [
        "CGV 2026.pdf"
    ]
    assert link in mails[over.message_ref].as_string().replace("=\n", "").replace("=3D", "=")
    names = [p.get_filename() for p in mails[light.message_ref].iter_attachments()]
    assert names == ["F-1.pdf", "CGV 2026.pdf"]


def test_another_try_says_it_once_and_fewer_invoices_take_their_pdfs_back(
    heavy: Callable[[str], Invoice], queue_one: QueueOne
) -> None:
    one, other = heavy("F-1"), heavy("F-2")
    message = queue_one(one, other)
    for _ in range(2):
        fresh = whole(message)
        weights.lighten([fresh])
    message.refresh_from_db()
    assert message.text.count("/f/") == 1
    rewritten = delivery.Rewrite(
        subject="s", text="moins", html="<p>moins</p>", lines=[], amount_cents=0
    )
    delivery.rewrite(message, Message.objects.filter(pk=message.pk), rewritten)
    weights.lighten([whole(message)])
    message.refresh_from_db()
    assert (message.by_link, message.text) == (False, "moins")


def test_a_claim_lost_meanwhile_keeps_its_words(
    heavy: Callable[[str], Invoice], queue_one: QueueOne
) -> None:
    message = whole(queue_one(heavy("F-1"), heavy("F-2")))
    Message.objects.filter(pk=message.pk).update(claimed_by="another")
    weights.lighten([message])
    assert message.by_link
    assert not whole(message).by_link


def test_a_pdf_that_vanished_is_said_by_the_one_who_writes_the_mail(
    heavy: Callable[[str], Invoice], queue_one: QueueOne
) -> None:
    gone = heavy("F-1")
    Path(gone.document.path).unlink()
    message = whole(queue_one(gone, heavy("F-2")))
    weights.lighten([message])
    assert not message.by_link

"""Every mail that the product makes, read with the strict policy of the standard library."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Plan, Template
from relance.ledger.models import Customer
from relance.outbox import mailbox_care, notices, trial
from relance.outbox.channels.email.mime import envelope
from relance.outbox.models import Mailbox, Message, Notice
from relance.outbox.services import Attached, Line
from tests.conftest import TODAY
from tests.strict_mail import strictly

from .conftest import NOW, Clock, Server, make_draft, make_invoice
from .test_email import whole, words
from .test_mailbox_delivery import deliver

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]
EMOJI = "Échéance 😀 dépassée — n° 12"
HARD: dict[str, dict[str, Any]] = {
    "plain": {},
    "text alone": {"html": ""},
    "emoji": {"subject": EMOJI, "text": EMOJI * 50, "html": f"<p>{EMOJI * 90}</p>"},
    "long subject": {"subject": "Facture impayée, " * 17 + "fin de l’objet"},
    "one long word": {"subject": "x" * 300, "text": "y" * 5_000 + "\n.\n..\nFrom moi\n"},
    "encoded look-alike": {"subject": "=?utf-8?q?faux?= =?"},
    "names": {
        "sender": '"Société Épinière, Fils & Œuvre (Saint-Étienne)" <collect@example.org>',
        "recipients": ["Zoé Çelik-Łukasz <z@example.com>", '"Dupont, Jean" <j@example.com>'],
        "reply_to": "Comptabilité générale de l’établissement secondaire <a@example.org>",
    },
    "idn": {"recipients": ["compta@société-générale.example"], "sender": "a@épinal.example"},
    "thirty recipients": {"recipients": [f"contact-{n}@entreprise.example" for n in range(30)]},
    "no-break spaces": {"subject": "Reste dû : 1 234,56 €", "text": "1 234,56 € ; « ici »"},
}


@pytest.mark.parametrize("fields", HARD.values(), ids=list(HARD))
def test_whatever_its_words_a_mail_is_strict(queue_one: QueueOne, fields: dict[str, Any]) -> None:
    """Spec mail B2: lines, seven bits, RFC 2047."""
    message = queue_one(**fields)
    Message.objects.update(
        in_reply_to="<a@example.org>", thread=" ".join(f"<{n:032}@example.org>" for n in range(10))
    )
    mail = strictly(envelope(whole(message), at=NOW).data)
    assert mail["Subject"] == message.subject
    body = mail.get_body(("plain",))
    assert body is not None
    assert words(body).strip() == message.text.strip()


@pytest.mark.parametrize(
    "name",
    [
        "Conditions générales de vente & d’exécution.pdf",
        "é" * 110 + ".pdf",
        "😀" * 100 + ".pdf",
        'a";\\ b*=(c).pdf',
        "un\r\nX-Faux: oui.pdf",
        "a" * 115 + ".pdf",
    ],
)
def test_whatever_its_files_are_called_a_mail_is_strict(
    queue_one: QueueOne, customer: Customer, tmp_path: Path, settings: Any, name: str
) -> None:
    """RFC 2231, on short lines; no name ends its header or becomes another."""
    settings.MEDIA_ROOT = tmp_path
    invoice = make_invoice(customer, name[:60])
    invoice.document.save("x.pdf", ContentFile(b"%PDF-" + bytes(range(256)) * 40))
    mail = strictly(
        envelope(
            whole(queue_one(invoice, files=[Attached(name, "application/pdf", b"%PDF-1")])), at=NOW
        ).data
    )
    kept = [part.get_filename() for part in mail.iter_attachments()]
    assert len(kept) == 2
    assert mail["X-Faux"] is None
    if not set(name) & set('"\\*\r\n:'):
        assert kept[1] == name


@pytest.fixture
def late(customer: Customer) -> None:
    customer.email, customer.name = "compta@dupont.example", "Établissements Dupont & Fils"
    customer.save()


def test_a_relance_of_the_daily_pass_is_strict_as_it_arrives(
    organisation: Organisation, customer: Customer, server: Server, clock: Clock, late: None
) -> None:
    """Through a real server, with the table of invoices and the HTML around it."""
    from relance.dunning.models import Assignment, Step

    template = Template.objects.create(
        organisation=organisation,
        name="Rappel",
        subject="Vos factures échues, {{ montant }}",
        body="Bonjour,\n\n{{ tableau_factures }}\n\nCordialement,\n{{ signature }}",
    )
    plan = Plan.objects.create(organisation=organisation, name="Standard")
    Step.objects.create(
        organisation=organisation,
        plan=plan,
        level=1,
        name="Rappel",
        days=7,
        channel="email",
        automatic=True,
        template=template,
        send_without_pdf=True,
    )
    Assignment.objects.create(organisation=organisation, customer=customer, plan=plan)
    for number in range(12):
        invoice = make_invoice(customer, f"F-2026-{number:04}-é")
        invoice.due = TODAY - timedelta(days=7 + number)
        invoice.save()
    run.run(organisation, on=TODAY, now=clock(), pause=0)
    Message.objects.update(not_before=clock())
    assert deliver(clock).sent
    for stored in server.sink.mails():
        raw = stored.path.read_bytes()
        own = raw.replace(b"\r\n", b"\n").partition(b"\nSubject:")
        mail = strictly((b"Subject:" + own[2]).replace(b"\n", b"\r\n"))
        assert "F-2026-0003-é" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_a_request_for_receipts_with_its_workbook_is_strict(
    queue_one: QueueOne, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    message = queue_one(
        purpose="receipts",
        customer_id=None,
        files=[Attached("Justificatifs demandés – été 2026.xlsx", kind, b"PK\x03\x04" * 4_000)],
    )
    mail = strictly(envelope(whole(message), at=NOW).data)
    [part] = mail.iter_attachments()
    assert (part.get_filename(), part.get_content_type()) == (
        "Justificatifs demandés – été 2026.xlsx",
        kind,
    )


def test_trials_and_notices_are_strict_too(
    organisation: Organisation, customer: Customer, server: Server, settings: Any
) -> None:
    user = User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")
    box = Mailbox(organisation=organisation, address="a@épinal.example", name="Société Épinal")
    strictly(mailbox_care.letter_to(box, user.email, subject=EMOJI, text=EMOJI * 40, at=NOW).data)
    notice = Notice(
        organisation=organisation,
        user=user,
        recipient=user.email,
        subject=EMOJI,
        text=EMOJI * 40,
        html=f"<p>{EMOJI * 40}</p>",
        unsubscribe="https://relance.example/stop/" + "x" * 120,
        message_ref="<1@relance.example>",
        made_at=NOW,
    )
    mail = strictly(notices.envelope(notice, at=NOW).data)
    assert mail["List-Unsubscribe"].strip() == f"<{notice.unsubscribe}>"
    draft = make_draft(customer, subject=EMOJI, text=EMOJI * 40, lines=[Line(1, 1)])
    trial.send_trial(draft, to=user.email, subject=f"[Essai] {EMOJI}", now=NOW)
    [stored] = server.sink.mails()
    assert stored.headers()["Subject"].strip() == f"[Essai] {EMOJI}"

"""The dossier de recouvrement: the customer leaves the chase, and all that is known is one file."""

import hashlib
import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Action, Plan, Recovery
from relance.dunning.recovery import building, handing
from relance.dunning.recovery.names import Names, safe
from relance.dunning.services import Refused
from relance.dunning.services.notes import add_note
from relance.history.models import Event
from relance.history.services import verify
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice, Regime
from relance.ops import recoveries
from relance.outbox.channels.email.mime import envelope, left_at
from relance.outbox.models import (
    Attempt,
    Inbound,
    Message,
    MessageInvoice,
    PrintRun,
    Status,
    Tracking,
)
from tests.conftest import NOW, TODAY, make_customer, make_invoice

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.4 facture"


@pytest.fixture(autouse=True)
def media(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]


def message_about(customer: Customer, invoice: Invoice | None = None, **fields: object) -> Message:
    values: dict[str, object] = {
        "organisation": customer.organisation,
        "customer": customer,
        "status": Status.SENT,
        "on": TODAY,
        "not_before": NOW,
        "claimed_at": NOW,
        "sent_at": NOW,
        "made_at": NOW,
        "sender": "relances@kerdoncuff.example",
        "recipients": [customer.email],
        "subject": "Vos factures échues",
        "text": "Bonjour,\n\nvotre facture est échue.",
        "message_ref": f"<{Message.objects.count()}@kerdoncuff.example>",
    }
    message = Message.objects.create(**(values | fields))
    if invoice:
        MessageInvoice.objects.create(
            organisation=customer.organisation, message=message, invoice=invoice, amount_cents=1
        )
    return message


def ask(customer: Customer, owner: User, **options: object) -> Recovery:
    values = {"leaves": True, "with_notes": False, "handed_to": "Me Le Bihan"} | options
    return handing.ask(customer=customer, actor=owner, on=TODAY, now=NOW, **values)  # type: ignore[arg-type]


def built(recovery: Recovery) -> zipfile.ZipFile:
    """The file of a dossier, gathered now; its digests are those of its manifest."""
    assert building.work(lambda: NOW) == 1
    recovery.refresh_from_db()
    assert recovery.status == Recovery.Status.DONE, recovery.error
    with recovery.file.open("rb") as file:
        raw = file.read()
    assert hashlib.sha256(raw).hexdigest() == recovery.sha256
    assert len(raw) == recovery.size
    pack = zipfile.ZipFile(io.BytesIO(raw))
    assert pack.testzip() is None
    told = json.loads(pack.read("manifest.json"))
    assert {one["path"] for one in told["files"]} == set(pack.namelist()) - {"manifest.json"}
    for one in told["files"]:
        content = pack.read(one["path"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one["size"], one["sha256"])
    return pack


def mail_with_evidence(customer: Customer, invoice: Invoice) -> Message:
    """Sent, taken by its server, proved by its provider, answered."""
    mail = message_about(customer, invoice)
    Attempt.objects.create(
        organisation=mail.organisation,
        message=mail,
        at=NOW,
        worker="w",
        outcome="sent",
        code=250,
        answer="2.0.0 Ok: queued as 4F2",
    )
    Tracking.objects.create(
        organisation=mail.organisation,
        message=mail,
        at=NOW,
        status="delivered",
        proof=ContentFile(b"%PDF preuve", "preuve.pdf"),
    )
    Inbound.objects.create(
        organisation=mail.organisation,
        kind=Inbound.Kind.REPLY,
        digest="1",
        raw=ContentFile(b"Subject: Re\r\n\r\nJe paie.", "r.eml"),
        received_at=NOW,
        sender="compta@delmas.example",
        message=mail,
        customer=customer,
    )
    return mail


def test_all_that_is_known_of_a_customer_is_in_one_file(
    customer: Customer, owner: User, tmp_path: Path
) -> None:
    """A9: ledger, invoices, every message with its evidence, interest, journal, index."""
    customer.regime = Regime.BUSINESS
    customer.save()
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(days=60), 1_000_00)
    invoice.document.save("f.pdf", ContentFile(PDF))
    mail = mail_with_evidence(customer, invoice)
    digest = hashlib.sha256(envelope(mail, at=left_at(mail)).data).hexdigest()
    Message.objects.filter(pk=mail.pk).update(handed_sha256=digest)
    message_about(customer, invoice, status=Status.CANCELLED)
    message_about(customer, invoice, diverted_to="essai@kerdoncuff.example")
    pack = built(ask(customer, owner))
    folder = f"messages/0001-{TODAY.isoformat()}-vos-factures-echues"
    assert set(pack.namelist()) == {
        "releve.xlsx",
        "factures/F-1.pdf",
        f"{folder}/message.eml",
        f"{folder}/message.pdf",
        f"{folder}/suivi-delivered.pdf",
        f"{folder}/{TODAY.isoformat()}-reponse.eml",
        "penalites.pdf",
        "journal/journal.jsonl",
        "journal/verifier.py",
        "index.html",
        "manifest.json",
    }
    eml = pack.read(f"{folder}/message.eml")
    mail.refresh_from_db()
    assert eml == envelope(mail, at=left_at(mail)).data
    assert message_from_bytes(eml, policy=policy.default)["Subject"] == "Vos factures échues"
    assert pack.read("factures/F-1.pdf") == PDF
    assert pack.read(f"{folder}/message.pdf").startswith(b"%PDF")
    index = pack.read("index.html").decode()
    assert "Me Le Bihan" in index
    assert "Les notes internes ne sont pas jointes." in index
    assert "Le message à l’octet près, Vos factures échues" in index
    rows = CalamineWorkbook.from_filelike(io.BytesIO(pack.read("releve.xlsx")))
    assert "F-1" in [row[0] for row in rows.get_sheet_by_index(1).to_python()]
    pack.extractall(tmp_path / "out")
    checked = subprocess.run(
        [sys.executable, "-I", "verifier.py", "journal.jsonl"],
        cwd=tmp_path / "out" / "journal",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_a_mail_that_is_not_what_left_any_more_is_named(customer: Customer, owner: User) -> None:
    """A9: the PDF of its invoice was replaced since; its first sending came back."""
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(days=60), 1_000_00)
    invoice.document.save("f.pdf", ContentFile(PDF))
    mail = mail_with_evidence(customer, invoice)
    mail.handed_sha256 = hashlib.sha256(envelope(mail, at=left_at(mail)).data).hexdigest()
    mail.save()
    mail.tries.update(message_ref="<premier@kerdoncuff.example>", sha256="ab" * 32)
    invoice.document.save("f.pdf", ContentFile(PDF + b" corrigee"))
    index = built(ask(customer, owner)).read("index.html").decode()
    assert "n’est pas à l’octet près celui qui est parti" in index
    assert mail.handed_sha256 in index
    assert "Le message reconstitué, différent de celui qui est parti" in index
    assert "premier@kerdoncuff.example" in index
    assert "Le message à l’octet près" not in index


def test_notes_stay_inside_unless_one_wants_them(customer: Customer, owner: User) -> None:
    """Internal notes are excluded by default, and the index says so."""
    make_invoice(customer, "F-1", TODAY)
    add_note(customer=customer, text="Mauvais payeur, dit Yann", actor=owner, on=TODAY, now=NOW)
    pack = built(ask(customer, owner))
    assert all(b"Mauvais payeur" not in pack.read(name) for name in pack.namelist())
    pack = built(ask(customer, owner, with_notes=True))
    assert "Mauvais payeur" in pack.read("notes.txt").decode()
    assert "Mauvais payeur" in pack.read("journal/journal.jsonl").decode()


def test_what_is_missing_is_said_and_the_rest_is_there(customer: Customer, owner: User) -> None:
    """A missing PDF, a message whose file is gone, a rate that is not known: named, not fatal."""
    customer.regime = Regime.BUSINESS
    customer.save()
    make_invoice(customer, "F-1", TODAY - timedelta(days=10))
    gone = make_invoice(customer, "F-2", TODAY - timedelta(days=20_000), issued=TODAY.replace(1970))
    gone.document.save("f.pdf", ContentFile(PDF))
    gone.document.storage.delete(gone.document.name or "")
    message_about(customer, gone)
    recovery = ask(customer, owner)
    pack = built(recovery)
    told = " ".join(recovery.gaps)
    assert "F-1" in told
    assert "F-2" in told
    assert "n’a pu être reconstitué" in told
    assert "pénalités" in told
    assert all(gap in json.loads(pack.read("manifest.json"))["missing"] for gap in recovery.gaps)


def test_the_customer_leaves_the_chase(
    customer: Customer, owner: User, organisation: Organisation
) -> None:
    """What waits is cancelled, what was to be done is withdrawn, nothing is written any more."""
    make_invoice(customer, "F-1", TODAY - timedelta(days=7))
    make_invoice(customer, "F-2", TODAY - timedelta(days=25))
    run.run(organisation, on=TODAY, now=NOW)
    waiting = Message.objects.filter(status=Status.QUEUED).count()
    actions = Action.objects.filter(status=Action.Status.OPEN).count()
    told = handing.preview(customer)
    assert waiting + actions > 0
    assert (told.waiting, told.actions, told.invoices) == (waiting, actions, 2)
    recovery = ask(customer, owner)
    assert not Message.objects.filter(status=Status.QUEUED).exists()
    assert not Action.objects.filter(status=Action.Status.OPEN).exists()
    assert handing.handed(customer) == recovery
    later = TODAY + timedelta(days=30)
    run.run(organisation, on=later, now=NOW + timedelta(days=30))
    assert not Message.objects.filter(on=later).exists()
    handing.take_back(customer=customer, actor=owner, on=later, now=NOW + timedelta(days=30))
    assert handing.handed(customer) is None
    assert not Customer.objects.get().excluded
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert {"recovery_asked", "recovery_handed", "recovery_taken_back"} <= kinds
    assert verify(organisation) is None


def test_one_who_was_excluded_before_stays_so_when_taken_back(
    customer: Customer, owner: User
) -> None:
    make_invoice(customer, "F-1", TODAY)
    ledger.exclude(customer=customer, on=TODAY, now=NOW, actor=owner)
    ask(customer, owner)
    handing.take_back(customer=customer, actor=owner, on=TODAY, now=NOW)
    assert Customer.objects.get().excluded
    with pytest.raises(Refused):
        handing.take_back(customer=customer, actor=owner, on=TODAY, now=NOW)


def test_a_file_alone_changes_nothing_of_the_chase(customer: Customer, owner: User) -> None:
    make_invoice(customer, "F-1", TODAY)
    waits = message_about(customer, status=Status.QUEUED, sent_at=None)
    built(ask(customer, owner, leaves=False))
    waits.refresh_from_db()
    assert waits.status == Status.QUEUED
    assert not Customer.objects.get().excluded


def test_a_letter_on_paper_is_not_called_back_and_said_so(customer: Customer, owner: User) -> None:
    make_invoice(customer, "F-1", TODAY)
    paper = PrintRun.objects.create(organisation=customer.organisation, made_at=NOW)
    letter = message_about(
        customer, status=Status.QUEUED, channel="letter", sent_at=None, print_run=paper
    )
    assert handing.preview(customer).printed == 1
    ask(customer, owner)
    letter.refresh_from_db()
    assert letter.status == Status.QUEUED


def test_two_people_ask_for_one_dossier(customer: Customer, owner: User) -> None:
    """The second is told who did; a customer without invoices has none."""
    make_invoice(customer, "F-1", TODAY)
    ask(customer, owner)
    with pytest.raises(Refused, match="Camille Le Goff"):
        ask(customer, owner)
    other = make_customer(customer.organisation, None, "Sans facture")
    with pytest.raises(Refused, match="aucune facture"):
        ask(other, owner)


def test_a_builder_that_died_is_replaced_and_one_that_comes_back_late_keeps_nothing(
    customer: Customer, owner: User
) -> None:
    make_invoice(customer, "F-1", TODAY)
    recovery = ask(customer, owner)
    late = building._take(NOW)
    assert late is not None
    assert building.work(lambda: NOW) == 0
    after = NOW + building.PATIENCE + timedelta(seconds=1)
    assert building.work(lambda: after) == 1
    with pytest.raises(building.LostError):
        building._build(late, lambda: after)
    recovery.refresh_from_db()
    assert recovery.status == Recovery.Status.DONE
    kept = Path(recovery.file.path).parent
    assert [one.name for one in kept.iterdir()] == [Path(recovery.file.name or "").name]


def test_one_that_breaks_is_told_and_the_next_is_built(
    customer: Customer, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_invoice(customer, "F-1", TODAY)
    recovery = ask(customer, owner)
    monkeypatch.setattr(building.contents, "put_in", lambda *_args: 1 / 0)
    recoveries.whole(NOW)
    recovery.refresh_from_db()
    assert (recovery.status, recovery.error) == (Recovery.Status.FAILED, "ZeroDivisionError")
    monkeypatch.undo()
    built(ask(customer, owner))


def test_hostile_numbers_and_words_stay_inside_the_folder(
    customer: Customer, owner: User, tmp_path: Path
) -> None:
    """Zip slip, names of Windows, two numbers that fold to one, a page that would run."""
    hostile = ["../../etc/passwd", "C:\\x", "CON", "a/b", "A/B", "..", "é\u202efdp.exe", "x" * 79]
    for number in hostile:
        invoice = make_invoice(customer, number, TODAY)
        invoice.document.save("x.pdf", ContentFile(PDF))
    message_about(customer, subject="../<script>alert(1)</script>", level_name="../../x")
    Customer.objects.update(name="<script>alert(1)</script>")
    customer.refresh_from_db()
    pack = built(ask(customer, owner))
    names = pack.namelist()
    assert len({name.casefold() for name in names}) == len(names)
    assert sum(name.startswith("factures/") for name in names) == len(hostile)
    for name in names:
        assert not name.startswith("/")
        assert ".." not in name
        assert "\\" not in name
        assert "\u202e" not in name
        assert (tmp_path / "out" / name).resolve().is_relative_to(tmp_path / "out")
    assert "<script>" not in pack.read("index.html").decode()


@given(st.lists(st.text(max_size=120), max_size=12))
def test_any_name_is_one_that_every_computer_takes(texts: list[str]) -> None:
    names = Names()
    paths = [names.free("dossier", safe(text, ".pdf")) for text in texts]
    assert len({path.casefold() for path in paths}) == len(paths)
    for path in paths:
        folder, name = path.split("/")
        assert folder == "dossier"
        assert name.isprintable()
        assert len(name) <= 90
        assert not set(name) & set('<>:"\\|?*')
        assert not name.startswith((".", " "))


def test_five_thousand_invoices_in_bounded_memory(
    customer: Customer, owner: User, plan: Plan
) -> None:
    """Read and written by chunks: what a large customer takes is disk, not memory."""
    Invoice.objects.bulk_create(
        Invoice(
            organisation=customer.organisation,
            customer=customer,
            number=f"F-{number:05}",
            issued=TODAY,
            due=TODAY + timedelta(days=30),
            total_cents=100,
            balance_cents=100,
        )
        for number in range(5_000)
    )
    heavy = make_invoice(customer, "LOURDE", TODAY)
    heavy.document.save("lourde.pdf", ContentFile(b"%PDF" + bytes(30_000_000)))
    recovery = ask(customer, owner)
    tracemalloc.start()
    try:
        assert building.work(lambda: NOW) == 1
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    recovery.refresh_from_db()
    assert (recovery.status, recovery.done) == (Recovery.Status.DONE, 5_001)
    assert peak < 25_000_000
    with zipfile.ZipFile(recovery.file.path) as pack:
        rows = CalamineWorkbook.from_filelike(io.BytesIO(pack.read("releve.xlsx")))
        assert len(rows.get_sheet_by_index(1).to_python()) == 5_002

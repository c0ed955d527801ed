"""The pages of imports: what three people may do, hostile files, and the whole way of a file."""

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer, Import, Invoice
from relance.outbox.models import Message, MessageInvoice
from tests.conftest import NOW, TODAY

CSV = (
    "Client;N° facture;Date;Échéance;Total TTC;Reste à payer\n"
    "Boulangerie Morel;F-1;01/09/2026;01/10/2026;1 200,00;1 200,00\n"
    "Boulangerie Morel;F-2;13/09/2026;13/10/2026;300,00;100,00\n"
    "Garage Perrin;F-3;20/09/2026;20/10/2026;douze;12,00\n"
)


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def upload(client: Client, organisation: Organisation, content: bytes, name: str) -> Any:
    url = reverse("import_new", args=[organisation.slug])
    return client.post(url, {"file": SimpleUploadedFile(name, content)})


def uploaded(client: Client, organisation: Organisation, content: str = CSV) -> Import:
    answer = upload(client, organisation, content.encode(), "factures.csv")
    assert answer.status_code == 302, answer.content.decode()
    return Import.objects.latest("id")


def run(client: Client, organisation: Organisation, imported: Import, **more: str) -> Any:
    """Post what the mapping page proposes."""
    page = client.get(reverse("import_mapping", args=[organisation.slug, imported.pk]))
    chosen = {c["name"]: c["code"] for c in page.context["columns"]}
    url = reverse("import_run", args=[organisation.slug, imported.pk])
    return client.post(url, {**chosen, "kind": imported.kind, **more}, follow=True)


def text(answer: HttpResponse) -> str:
    return answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


def test_a_file_goes_from_the_drop_to_the_report(page: Client, organisation: Organisation) -> None:
    imported = uploaded(page, organisation)
    mapping = page.get(reverse("import_mapping", args=[organisation.slug, imported.pk]))
    assert "séparateur point-virgule" in text(mapping)
    assert "1 200,00 €" in text(mapping)
    assert "« douze » n’est pas un montant" in text(mapping)
    assert not Invoice.objects.exists()
    report = run(page, organisation, imported)
    assert "Ligne 4, colonne « Total TTC » : « douze » n’est pas un montant" in text(report)
    assert set(Invoice.objects.values_list("number", "balance_cents")) == {
        ("F-1", 1200_00),
        ("F-2", 100_00),
    }
    again = uploaded(page, organisation)
    run(page, organisation, again)
    again.refresh_from_db()
    assert (again.created, again.updated, again.unchanged, again.refused) == (0, 0, 2, 1)


def test_the_mapping_is_remembered_for_the_same_header(
    page: Client, organisation: Organisation
) -> None:
    run(page, organisation, uploaded(page, organisation), column_4="")
    again = uploaded(page, organisation)
    mapping = page.get(reverse("import_mapping", args=[organisation.slug, again.pk]))
    assert "Correspondance reprise" in text(mapping)
    assert mapping.context["columns"][4]["code"] == ""


def test_changing_a_column_answers_with_the_preview_alone(
    page: Client, organisation: Organisation
) -> None:
    imported = uploaded(page, organisation)
    url = reverse("import_mapping", args=[organisation.slug, imported.pk])
    headers = {"HX-Request": "true"}
    piece = page.post(url, {"column_0": "customer_name", "column_1": "number"}, headers=headers)
    assert "<html" not in text(piece)
    assert "Aucune colonne n’est associée à « Total TTC ou Reste à payer »" in text(piece)
    assert "disabled" in text(piece)
    twice = page.post(url, {"column_0": "number", "column_1": "number"}, headers=headers)
    assert "est choisi pour deux colonnes" in text(twice)


def test_running_without_a_required_column_writes_nothing_and_says_so(
    page: Client, organisation: Organisation
) -> None:
    imported = uploaded(page, organisation)
    url = reverse("import_run", args=[organisation.slug, imported.pk])
    answer = page.post(url, {"column_0": "customer_name"})
    assert "Aucune colonne n’est associée" in text(answer)
    imported.refresh_from_db()
    assert imported.status == "uploaded"
    assert not Customer.objects.exists()


def test_the_refused_lines_come_as_a_workbook_with_their_cells(
    page: Client, organisation: Organisation
) -> None:
    imported = uploaded(page, organisation)
    run(page, organisation, imported)
    answer = page.get(reverse("import_refused", args=[organisation.slug, imported.pk]))
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active  # type: ignore[attr-defined]
    assert sheet is not None
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows[0][:3] == ["Ligne", "Raison", "Client"]
    assert rows[1][0] == 4
    assert rows[1][2] == "Garage Perrin"


def test_undo_shows_what_it_will_do_then_does_it(page: Client, organisation: Organisation) -> None:
    imported = uploaded(page, organisation)
    run(page, organisation, imported)
    url = reverse("import_undo", args=[organisation.slug, imported.pk])
    assert "2 factures, 1 client" in text(page.get(url)).replace("clients", "client")
    assert Invoice.objects.count() == 2
    answer = page.post(url, follow=True)
    assert "Import annulé" in text(answer)
    assert not Invoice.objects.exists()
    assert not Customer.objects.exists()


def test_undo_leaves_what_was_chased_and_says_why(page: Client, organisation: Organisation) -> None:
    imported = uploaded(page, organisation)
    run(page, organisation, imported)
    chased = Invoice.objects.get(number="F-1")
    message = Message.objects.create(
        organisation=organisation,
        customer=chased.customer,
        on=TODAY,
        not_before=NOW,
        made_at=NOW,
        sender="a@exemple.fr",
        subject="Rappel",
        text="Bonjour",
        message_ref="<1@exemple.fr>",
    )
    MessageInvoice.objects.create(
        organisation=organisation, message=message, invoice=chased, amount_cents=1
    )
    url = reverse("import_undo", args=[organisation.slug, imported.pk])
    assert "déjà relancée" in text(page.get(url))
    page.post(url)
    assert list(Invoice.objects.values_list("number", flat=True)) == ["F-1"]
    assert Message.objects.exists()


def test_a_long_file_runs_behind_and_shows_its_progress(
    page: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.web.views import imports as views

    started: list[int] = []
    monkeypatch.setattr(views, "AT_ONCE", 2)
    monkeypatch.setattr(views, "start", started.append)
    imported = uploaded(page, organisation)
    run(page, organisation, imported)
    assert started == [imported.pk]
    Import.objects.filter(pk=imported.pk).update(
        status="running", done_lines=1, total_lines=3, beat_at=NOW.replace(year=2100)
    )
    url = reverse("import_progress", args=[organisation.slug, imported.pk])
    going = page.get(url)
    assert "1 lignes lues sur 3" in text(going)
    assert "every 1s" in text(going)
    Import.objects.filter(pk=imported.pk).update(status="done")
    over = page.get(url)
    assert over["HX-Refresh"] == "true"
    assert "every 1s" not in text(over)


def test_a_killed_import_is_offered_again(page: Client, organisation: Organisation) -> None:
    imported = uploaded(page, organisation)
    Import.objects.filter(pk=imported.pk).update(
        status="running", done_lines=1, total_lines=3, beat_at=NOW.replace(year=2000)
    )
    answer = page.get(reverse("import_detail", args=[organisation.slug, imported.pk]))
    assert "a été interrompu" in text(answer)
    assert "Reprendre" in text(answer)


FEC = (
    "JournalCode\tJournalLib\tEcritureNum\tEcritureDate\tCompteNum\tCompteLib\tCompAuxNum\t"
    "CompAuxLib\tPieceRef\tPieceDate\tEcritureLib\tDebit\tCredit\tEcritureLet\tDateLet\t"
    "ValidDate\tMontantdevise\tIdevise"
)


def fec_line(aux: str, name: str, piece: str, debit: str, credit: str, letter: str = "") -> str:
    cells = ["VE", "Ventes", "1", "20250310", "411000", "Clients", aux, name, piece, "20250310"]
    return "\t".join([*cells, "Facture", debit, credit, letter, "", "", "", ""])


def test_a_fec_is_imported_for_review_with_its_control_total(
    page: Client, organisation: Organisation
) -> None:
    lines = [
        FEC,
        fec_line("CDUP", "Dupont", "F1", "100,00", "0,00"),
        fec_line("CDUP", "Dupont", "F2", "50,00", "0,00", "A"),
        fec_line("CDUP", "Dupont", "R2", "0,00", "50,00", "A"),
        fec_line("CESP", "Recettes espèces", "R3", "30,00", "0,00"),
    ]
    answer = upload(page, organisation, "\n".join(lines).encode(), "123456789FEC20251231.txt")
    imported = Import.objects.get()
    assert answer.status_code == 302
    shown = page.get(reverse("import_mapping", args=[organisation.slug, imported.pk]))
    assert "130,00 €" in text(shown)
    url = reverse("import_run", args=[organisation.slug, imported.pk])
    report = page.post(url, {"terms_days": "45", "end_of_month": "on"}, follow=True)
    assert "compte collectif ou de passage" in text(report)
    assert "Solde importé" in text(report)
    customer = Customer.objects.get()
    assert customer.to_review
    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.due.isoformat(), invoice.due_estimated) == (
        "F1",
        "2025-04-30",
        True,
    )


def hostile() -> dict[str, tuple[bytes, str, str]]:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", b"0" * 60_000_000)
    return {
        "zip bomb": (bomb.getvalue(), "bombe.xlsx", "refusé par sécurité"),
        "empty": (b"", "vide.csv", ""),
        "only spaces": (b"   \n ", "vide.csv", "Le fichier est vide"),
        "a million columns": (b";".join([b"a"] * 1_000_000) + b"\n1;2\n", "large.csv", "limite"),
        "an image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "photo.csv", ""),
        "a broken workbook": (b"PK\x03\x04 et puis rien", "f.xlsx", "abîmé"),
        "no header": (b"1;2;3\n4;5;6\n", "f.csv", "titres"),
        "titles only": (b"Client;Total TTC;Date\n", "f.csv", "que des titres"),
        "aged balance": (
            "Client;Non échu;1-30 j;31-60 j;61-90 j\nMorel;1;2;3;4\n".encode(),
            "balance.csv",
            "balance âgée",
        ),
    }


@pytest.mark.parametrize("name", list(hostile()))
def test_a_hostile_file_gets_a_sentence_and_leaves_nothing(
    page: Client, organisation: Organisation, name: str, tmp_path: Path
) -> None:
    content, filename, sentence = hostile()[name]
    answer = upload(page, organisation, content, filename)
    assert answer.status_code == 400
    assert 'role="alert"' in text(answer)
    assert sentence in text(answer)
    assert not Import.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_ten_gigabytes_are_refused_before_they_are_read(
    page: Client, organisation: Organisation
) -> None:
    url = reverse("import_new", args=[organisation.slug])
    answer = page.generic(
        "POST", url, b"x", "multipart/form-data; boundary=x", CONTENT_LENGTH=str(10 * 10**9)
    )
    assert answer.status_code == 413
    assert "10 000 Mo" in text(answer)


def test_an_upload_without_its_token_is_refused(owner: User, organisation: Organisation) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    assert upload(strict, organisation, CSV.encode(), "f.csv").status_code == 403


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Morel;F-1;01/02/1900;01/03/1900;10,00", "hors des années 1990"),
        ("Morel;F-1;01/02/2026;01/03/2026;=SOMME(A1)", "n’est pas un montant"),
        (";F-1;01/02/2026;01/03/2026;10,00", "ni nom ni code de client"),
        ("Morel;F-1;;;10,00", "ni date de facture ni échéance"),
        (
            "Morel;F-1;01/02/2026;01/03/2026;10,00\nMorel;F-1;01/02/2026;01/03/2026;11,00",
            "figure aussi ligne",
        ),
    ],
)
def test_a_bad_line_is_refused_with_line_and_reason_and_writes_nothing(
    page: Client, organisation: Organisation, row: str, reason: str
) -> None:
    good = "Garage Perrin;F-9;01/02/2026;01/03/2026;10,00\n" * 2
    content = f"Client;N° facture;Date;Échéance;Total TTC\n{good}{row}\n"
    report = run(page, organisation, uploaded(page, organisation, content))
    assert reason in text(report)
    assert "Ligne 4" in text(report)
    assert list(Invoice.objects.values_list("number", flat=True)) == ["F-9"]
    assert list(Customer.objects.values_list("name", flat=True)) == ["Garage Perrin"]


def test_a_negative_amount_is_a_credit_and_formulas_stay_text(
    page: Client, organisation: Organisation
) -> None:
    content = (
        "Client;N° facture;Date;Échéance;Total TTC\n"
        "=cmd|' /C calc'!A0;A-1;01/02/2026;01/03/2026;-10,00\n"
    )
    run(page, organisation, uploaded(page, organisation, content))
    customer = Customer.objects.get()
    assert customer.name.startswith("=cmd")
    assert customer.credits.get().left_cents == 10_00


PAGES = ["import_detail", "import_mapping", "import_undo", "import_refused", "import_progress"]


def test_a_reader_reads_the_reports_and_changes_nothing(
    client: Client, organisation: Organisation, owner: User, colleague: User
) -> None:
    client.force_login(owner)
    imported = uploaded(client, organisation)
    client.force_login(colleague)
    args = [organisation.slug, imported.pk]
    assert client.get(reverse("import_list", args=args[:1])).status_code == 200
    assert client.get(reverse("import_detail", args=args)).status_code == 200
    assert client.get(reverse("import_new", args=args[:1])).status_code == 403
    assert client.get(reverse("import_mapping", args=args)).status_code == 403
    assert client.post(reverse("import_run", args=args)).status_code == 403
    assert client.post(reverse("import_undo", args=args)).status_code == 403


def test_a_stranger_finds_nothing(
    client: Client, organisation: Organisation, owner: User, stranger: User
) -> None:
    client.force_login(owner)
    imported = uploaded(client, organisation)
    client.force_login(stranger)
    args = [organisation.slug, imported.pk]
    assert client.get(reverse("import_list", args=args[:1])).status_code == 404
    assert client.get(reverse("import_new", args=args[:1])).status_code == 404
    assert [client.get(reverse(name, args=args)).status_code for name in PAGES] == [404] * 5
    assert client.post(reverse("import_run", args=args)).status_code == 404
    own = Organisation.objects.get(name="Ailleurs")
    other = [client.get(reverse(name, args=[own.slug, imported.pk])).status_code for name in PAGES]
    assert other == [404] * 5

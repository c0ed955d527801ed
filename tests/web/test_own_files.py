"""Pièces jointes: kept by an administrator, ticked in a template, read by everyone there."""

from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, Template
from relance.outbox.models import Mailbox, OwnFile
from tests.conftest import NOW
from tests.web.morning import url

PDF = b"%PDF-1.4\nconditions\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


def add(client: Client, organisation: Organisation, *files: tuple[str, bytes]) -> Any:
    sent = [SimpleUploadedFile(name, raw) for name, raw in files]
    return client.post(url("own_file_list", organisation), {"fichiers": sent}, follow=True)


def test_an_administrator_keeps_files_whose_content_decides(
    camille: Client, organisation: Organisation
) -> None:
    answer = add(
        camille,
        organisation,
        ("Conditions de vente.pdf", PDF),
        ("virus.pdf", b"MZ\x90\x00"),
        ("lourd.pdf", PDF + b"x" * 3_000_000),
    )
    page = said(answer)
    assert "1 fichier ajouté" in page
    assert "virus.pdf : ce n’est ni un PDF, ni une image" in page
    assert "lourd.pdf : il pèse plus de 3 Mo" in page
    own = OwnFile.objects.get()
    read = camille.get(url("own_file_read", organisation, own.pk))
    assert b"".join(read.streaming_content) == PDF  # type: ignore[attr-defined]
    assert read["Content-Disposition"].startswith("attachment")
    assert "sandbox" in read["Content-Security-Policy"]
    own.file.storage.delete(own.file.name)
    assert camille.get(url("own_file_read", organisation, own.pk)).status_code == 404
    camille.post(url("own_file_retire", organisation, own.pk))
    assert "Aucun fichier gardé" in said(camille.get(url("own_file_list", organisation)))


def test_a_template_ticks_what_goes_with_it(
    camille: Client, organisation: Organisation, template: Template
) -> None:
    add(camille, organisation, ("CGV.pdf", PDF))
    own = OwnFile.objects.get()
    page = url("template_detail", organisation, template.pk)
    assert "Sans IBAN" in said(camille.get(page))
    assert "CGV.pdf" in said(camille.get(page))
    fields = {
        "name": template.name,
        "channel": "email",
        "language": "fr",
        "subject": template.subject,
        "body": template.body,
        "with_rib": "on",
        "files": [own.pk],
    }
    assert camille.post(page, fields).status_code == 302
    template.refresh_from_db()
    assert (template.with_rib, list(template.files.all())) == (True, [own])
    OwnFile.objects.update(size=5_000_001)
    assert "pèsent plus de 5 Mo" in said(camille.post(page, fields))


def test_another_organisations_file_cannot_be_ticked(
    camille: Client, organisation: Organisation, template: Template
) -> None:
    other = Organisation.objects.create(name="Autre", slug="autre-encore")
    theirs = OwnFile.objects.create(
        organisation=other, name="x.pdf", mime="application/pdf", size=1, added_at=NOW, file="x"
    )
    fields = {"name": "a", "channel": "email", "subject": "s", "body": "b", "language": "fr"}
    camille.post(url("template_detail", organisation, template.pk), fields | {"files": [theirs.pk]})
    assert template.files.count() == 0
    assert camille.get(url("own_file_read", organisation, theirs.pk)).status_code == 404


def test_whoever_only_reads_sees_them_and_adds_none(
    colleague: User, camille: Client, organisation: Organisation
) -> None:
    add(camille, organisation, ("CGV.pdf", PDF))
    reader = Client()
    reader.force_login(colleague)
    page = said(reader.get(url("own_file_list", organisation)))
    assert "CGV.pdf" in page
    assert "Seul un administrateur" in page
    assert add(reader, organisation, ("b.pdf", PDF)).status_code == 403
    own = OwnFile.objects.get()
    assert reader.post(url("own_file_retire", organisation, own.pk)).status_code == 403


def test_a_plan_offers_only_mailboxes_that_may_send_by_themselves(
    camille: Client, organisation: Organisation, plan: Plan, owner: User
) -> None:
    for address, more in (
        ("export@kerdoncuff.example", {"checked_at": NOW}),
        ("neuve@kerdoncuff.example", {}),
        ("moi@kerdoncuff.example", {"checked_at": NOW, "owner": owner}),
        ("retiree@kerdoncuff.example", {"checked_at": NOW, "retired_at": NOW}),
    ):
        Mailbox.objects.create(
            organisation=organisation,
            address=address,
            host="h",
            **more,  # type: ignore[misc]
        )
    page = said(camille.get(url("plan_detail", organisation, plan.pk)))
    assert "L’expéditeur de l’entreprise" in page
    select = page[page.index('name="mailbox"') :].partition("</select>")[0]
    assert "export@kerdoncuff.example" in select
    for hidden in ("neuve@", "moi@", "retiree@"):
        assert hidden not in select


def test_the_bic_of_the_rib_is_checked_where_it_is_typed(
    camille: Client, organisation: Organisation
) -> None:
    fields = {"name": organisation.name, "address": "", "siren": "", "iban": ""}
    page = url("settings_detail", organisation)
    assert "Ce BIC n’est pas valable" in said(camille.post(page, fields | {"bic": "AGRI FR"}))
    assert camille.post(page, fields | {"bic": "agri frpp"}).status_code == 302
    organisation.refresh_from_db()
    assert organisation.bic == "AGRIFRPP"

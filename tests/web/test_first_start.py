"""An installation begins: by the link of the terminal, or on the command line, by nobody else."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from relance.accounts import first_start
from relance.accounts.models import Firm, FirmMembership, Membership, Organisation, User
from relance.accounts.people import PeopleError
from relance.ops.main import main
from relance.ops.management.commands import serve

pytestmark = pytest.mark.django_db

SAID = {
    "kind": "cabinet",
    "name": "Cabinet  Morvan",
    "full_name": "Anne Morvan",
    "email": "Anne@Morvan.example",
    "password": "trois-goélands-9",
}


def said(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def test_a_stranger_finds_a_calm_page_and_no_way_in(client: Client) -> None:
    for path in ("/", "/connexion/"):
        page = client.get(path, follow=True)
        assert page.redirect_chain[-1][0] == "/premier-demarrage/"
        assert "écrit dans le terminal" in page.content.decode()
        assert first_start.token() not in page.content.decode()
    wrong = "/premier-demarrage/" + "0" * 40 + "/"
    assert client.get(wrong).status_code == 404
    assert client.post(wrong, SAID).status_code == 404
    assert not User.objects.exists()


def test_the_link_of_the_terminal_makes_the_first_administrator_of_a_firm(client: Client) -> None:
    """Item 1: then the espace expert, empty, which says what to do next."""
    link = f"/premier-demarrage/{first_start.token()}/"
    page = client.get(link)
    assert page.status_code == 200
    # With no-referrer a browser would name itself « null » when it posts, and be refused.
    assert page.headers["Referrer-Policy"] == "same-origin"
    weak = client.post(link, {**SAID, "password": "12345678"})
    assert weak.status_code == 422
    assert not User.objects.exists()
    page = client.post(link, SAID, follow=True)
    firm = Firm.objects.get()
    assert page.redirect_chain[-1][0] == f"/cabinet/{firm.pk}/"
    assert "Ouvrir le premier dossier" in page.content.decode()
    row = FirmMembership.objects.get()
    assert (firm.name, row.is_admin, row.user.email) == (
        "Cabinet Morvan",
        True,
        "anne@morvan.example",
    )
    assert row.user.check_password(SAID["password"])


def test_or_of_a_company_on_its_own(client: Client) -> None:
    link = f"/premier-demarrage/{first_start.token()}/"
    page = client.post(link, {**SAID, "kind": "entreprise", "name": "Ateliers"}, follow=True)
    assert page.redirect_chain[-1][0] == "/d/ateliers/"
    row = Membership.objects.get()
    assert (row.dunning_role, row.bank_role, row.collect_role) == (40, 3, 3)
    assert row.organisation.firm is None


def test_once_somebody_is_there_the_link_only_leads_to_the_login(client: Client) -> None:
    link = f"/premier-demarrage/{first_start.token()}/"
    User.objects.create_user("a@x.example", "motdepasse1")
    for answer in (client.get(link), client.post(link, SAID), client.get("/premier-demarrage/")):
        assert answer.headers["Location"] == "/connexion/"
    assert client.get("/connexion/").status_code == 200
    with pytest.raises(PeopleError):
        first_start.begin(
            is_firm=True, name="X", email="x@x.example", full_name="", password="trois-goélands"
        )
    assert User.objects.count() == 1


def test_serve_prints_the_link_while_nobody_exists() -> None:
    command = serve.Command(stdout=StringIO())
    command._ready("http://127.0.0.1:8000/")
    assert f"http://127.0.0.1:8000/premier-demarrage/{first_start.token()}/" in str(
        command.stdout.getvalue()
    )
    User.objects.create_user("a@x.example", "motdepasse1")
    command = serve.Command(stdout=StringIO())
    command._ready("http://127.0.0.1:8000/")
    assert "demarrage" not in command.stdout.getvalue()


def test_a_firm_and_its_dossiers_from_the_command_line(client: Client) -> None:
    """No password is typed: a link is printed, where the person chooses his own."""
    told = said("create_firm", "Cabinet Morvan", email="anne@morvan.example", full_name="Anne")
    link = re.search(r"/invitation/[\w:.-]+/", told)
    assert link
    page = client.get(link[0]).content.decode()
    assert "Cabinet Morvan" in page
    assert "demandes de justificatifs" not in page
    client.post(link[0], {"full_name": "Anne Morvan", "password": "trois-goélands-9"})
    assert client.get("/").headers["Location"].startswith("/cabinet/")
    assert "/d/sarl-ty-mad/" in said("create_dossier", "SARL Ty Mad", firm="cabinet morvan")
    assert Organisation.objects.get().firm == Firm.objects.get()
    with pytest.raises(CommandError, match="suit déjà ce dossier"):
        said("create_dossier", "SARL TY MAD", firm=str(Firm.objects.get().pk))
    with pytest.raises(CommandError, match="Cabinet à préciser"):
        said("create_dossier", "X", firm="nobody")
    assert "déjà un mot de passe" in said("invitation", "anne@morvan.example")


def test_a_company_from_the_command_line() -> None:
    told = said(
        "create_dossier", "Ateliers", email="c@k.example", full_name="Camille", siren="732 829 320"
    )
    assert "/d/ateliers/" in told
    assert "/invitation/" in told
    assert Organisation.objects.get().siren == "732829320"
    for wrong in ({"siren": "732829321", "email": "c@k.example"}, {}, {"email": "no address"}):
        with pytest.raises(CommandError):
            said("create_dossier", "Autre", **wrong)
    assert Organisation.objects.count() == 1
    assert "/invitation/" in said("invitation", "C@K.example")
    with pytest.raises(CommandError, match="Personne"):
        said("invitation", "nobody@x.example")


def test_the_names_of_commands_are_typed_with_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr("django.core.management.execute_from_command_line", seen.append)
    assert main(["create-firm", "A-B", "--email", "x@y.example"]) == 0
    assert main(["--version"]) == 0
    assert seen == [
        ["relance", "create_firm", "A-B", "--email", "x@y.example"],
        ["relance", "--version"],
    ]

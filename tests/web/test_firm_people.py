"""Collaborateurs of a firm, and the dossiers it opens, follows by consent and lets go (D-24)."""

import re

import pytest
from django.test import Client

from relance.accounts.firms import found_firm
from relance.accounts.models import Firm, FirmMembership, FollowRequest, Organisation, User
from relance.history.models import Event
from relance.history.services import verify
from relance.outbox.models import Notice
from tests.receipts.conftest import AddClient

pytestmark = pytest.mark.django_db


def invite(client: Client, firm: Firm, **more: object) -> int:
    data = {"email": "zoe@morel.example", "full_name": "Zoé", **more}
    return client.post(f"/cabinet/{firm.pk}/collaborateurs/inviter/", data).status_code


def deed(client: Client, firm: Firm, row: FirmMembership, what: str) -> int:
    return client.post(f"/cabinet/{firm.pk}/collaborateurs/{row.pk}/{what}/").status_code


def words(answer: object) -> str:
    return str(answer.content.decode()).replace("\u00a0", " ").replace("\u202f", " ")  # type: ignore[attr-defined]


def test_a_colleague_invited_chooses_a_password_and_enters_the_firm(
    anne: Client, firm: Firm, dossier: Organisation
) -> None:
    assert invite(anne, firm) == 302
    [mail] = Notice.objects.all()
    assert (mail.recipient, mail.organisation) == ("zoe@morel.example", None)
    assert "Anne Morel vous invite dans Cabinet Morel et Associés" in mail.subject
    link = re.search(r"/invitation/[\w:.-]+/", mail.text)
    assert link
    zoe = Client()
    assert "Cabinet Morel et Associés" in words(zoe.get(link[0]))
    entered = zoe.post(link[0], {"full_name": "Zoé", "password": "trois-goélands-9"}, follow=True)
    assert entered.redirect_chain[-1][0] == f"/cabinet/{firm.pk}/"
    assert zoe.get("/d/brasserie/banque/").status_code == 200
    assert not FirmMembership.objects.get(user__email="zoe@morel.example").is_admin
    assert invite(anne, firm) == 409
    assert invite(anne, firm, email="no address") == 422


def test_who_does_not_look_after_the_firm_invites_nobody_and_reads_why(
    anne: Client, firm: Firm
) -> None:
    invite(anne, firm)
    zoe, own = Client(), FirmMembership.objects.get(user__email="zoe@morel.example")
    zoe.force_login(own.user)
    assert "Seul un administrateur du cabinet" in words(zoe.get(f"/cabinet/{firm.pk}/dossiers/"))
    page = words(zoe.get(f"/cabinet/{firm.pk}/collaborateurs/"))
    assert "Seul un administrateur du cabinet" in page
    assert "Inviter un collaborateur" not in page
    assert invite(zoe, firm, email="moi@ailleurs.example", is_admin="on") == 403
    assert deed(zoe, firm, own, "administrateur") == 403
    for path in ("dossiers/ouvrir/", "dossiers/demander/", "dossiers/1/detacher/"):
        assert zoe.post(f"/cabinet/{firm.pk}/{path}", {"name": "X"}).status_code == 403
    own.refresh_from_db()
    assert not own.is_admin
    assert not User.objects.filter(email="moi@ailleurs.example").exists()


def test_the_last_administrator_of_a_firm_stays(anne: Client, firm: Firm) -> None:
    """One who never chose a password is nobody yet."""
    mine = FirmMembership.objects.get()
    invite(anne, firm, is_admin="on")
    other = FirmMembership.objects.exclude(pk=mine.pk).get()
    assert other.is_admin
    for what in ("simple", "retirer"):
        assert deed(anne, firm, mine, what) == 409
    other.user.set_password("motdepasse1")
    other.user.save()
    assert deed(anne, firm, mine, "simple") == 302
    assert deed(anne, firm, other, "retirer") == 403
    zoe = Client()
    zoe.force_login(other.user)
    assert deed(zoe, firm, mine, "retirer") == 302
    assert anne.get(f"/cabinet/{firm.pk}/").status_code == 404
    assert deed(zoe, firm, other, "x") == 404


def test_a_dossier_is_opened_once_and_its_client_invited_next(anne: Client, firm: Firm) -> None:
    new = f"/cabinet/{firm.pk}/dossiers/ouvrir/"
    page = anne.post(new, {"name": " SARL  Ty Mad", "siren": "732 829 320"}, follow=True)
    assert page.redirect_chain[-1][0] == "/d/sarl-ty-mad/parametres/utilisateurs/"
    assert "Invitez maintenant" in words(page)
    made = Organisation.objects.get()
    assert (made.firm, made.name, made.siren) == (firm, "SARL Ty Mad", "732829320")
    assert Event.objects.get().kind == "dossier_opened"
    for data in ({"name": "sarl ty mad"}, {"name": "Autre", "siren": "73282932000074"}):
        answer = anne.post(new, data)
        assert answer.status_code == 409
        assert "suit déjà ce dossier" in words(answer)
    assert anne.post(new, {"name": "Autre", "siren": "1"}).status_code == 422
    assert "SARL Ty Mad" in words(anne.get(f"/cabinet/{firm.pk}/dossiers/"))


def test_an_existing_dossier_joins_the_firm_by_its_own_consent(
    anne: Client, firm: Firm, organisation: Organisation, owner: User, colleague: User
) -> None:
    """The administrator decides; nothing is seen before, and nobody learns who is known here."""
    ask = f"/cabinet/{firm.pk}/dossiers/demander/"
    unknown = words(anne.post(ask, {"email": "nobody@x.example"}, follow=True))
    known = words(anne.post(ask, {"email": owner.email.upper()}, follow=True))
    assert unknown.count("Si ") == known.count("Si ")
    assert organisation.name not in known
    [asked] = FollowRequest.objects.all()
    assert Notice.objects.get().recipient == owner.email
    anne.post(ask, {"email": owner.email})
    anne.post(ask, {"email": colleague.email})
    assert FollowRequest.objects.count() == Notice.objects.count() == 1
    page = f"/d/{organisation.slug}/parametres/utilisateurs/"
    reply = f"{page}cabinet/{asked.pk}/"
    assert anne.get(page).status_code == 404
    assert anne.post(reply, {"reponse": "accepter"}).status_code == 404
    yann = Client()
    yann.force_login(colleague)
    assert "Un administrateur du dossier répond" in words(yann.get(page))
    assert yann.post(reply, {"reponse": "accepter"}).status_code == 403
    camille = Client()
    camille.force_login(owner)
    assert "demande à suivre ce dossier" in words(camille.get(page))
    camille.post(reply, {"reponse": "accepter"})
    organisation.refresh_from_db()
    assert organisation.firm == firm
    assert anne.get(page).status_code == 200
    assert list(Event.objects.order_by("seq").values_list("kind", flat=True)) == [
        "firm_asked",
        "firm_attached",
    ]
    assert verify(organisation) is None


def test_a_refusal_leaves_the_dossier_alone(
    anne: Client, firm: Firm, organisation: Organisation, owner: User
) -> None:
    anne.post(f"/cabinet/{firm.pk}/dossiers/demander/", {"email": owner.email})
    camille = Client()
    camille.force_login(owner)
    page = f"/d/{organisation.slug}/parametres/utilisateurs/"
    camille.post(f"{page}cabinet/{FollowRequest.objects.get().pk}/", {"reponse": "refuser"})
    organisation.refresh_from_db()
    assert organisation.firm is None
    assert not FollowRequest.objects.exists()
    assert anne.get(page).status_code == 404


def test_of_two_firms_that_ask_on_one_day_both_are_read(
    anne: Client, firm: Firm, organisation: Organisation, owner: User
) -> None:
    anne.post(f"/cabinet/{firm.pk}/dossiers/demander/", {"email": owner.email})
    other = found_firm(name="Autre cabinet", email="jo@autre.example", full_name="Jo").user
    second = FirmMembership.objects.get(user=other).firm
    jo = Client()
    jo.force_login(other)
    jo.post(f"/cabinet/{second.pk}/dossiers/demander/", {"email": owner.email})
    told = Notice.objects.filter(recipient=owner.email).values_list("subject", flat=True)
    assert sorted(subject.partition(" demande")[0] for subject in told) == sorted(
        [firm.name, second.name]
    )


def test_either_side_ends_it_and_somebody_is_always_there(
    anne: Client, firm: Firm, dossier: Organisation, add_client: AddClient
) -> None:
    part = f"/cabinet/{firm.pk}/dossiers/{dossier.pk}/detacher/"
    refused = anne.post(part)
    assert refused.status_code == 409
    assert "Personne, hors du cabinet" in words(refused)
    yann = add_client()
    dossier.memberships.update(dunning_role=40)
    assert anne.post(part).status_code == 302
    dossier.refresh_from_db()
    assert dossier.firm is None
    assert anne.get("/d/brasserie/banque/").status_code == 404
    dossier.firm = firm
    dossier.save()
    his = Client()
    his.force_login(yann)
    answer = his.post("/d/brasserie/parametres/utilisateurs/cabinet/quitter/", follow=True)
    assert "n’a plus accès" in words(answer)
    dossier.refresh_from_db()
    assert dossier.firm is None
    assert his.post("/d/brasserie/parametres/utilisateurs/cabinet/quitter/").status_code == 409


def test_another_firm_finds_nothing_here(
    client: Client, firm: Firm, dossier: Organisation, owner: User, add_client: AddClient
) -> None:
    """404 for a stranger, a client of a dossier, and the administrator of another firm."""
    elsewhere = Firm.objects.create(name="Autre")
    other = User.objects.create_user("autre@x.example", "motdepasse1")
    FirmMembership.objects.create(firm=elsewhere, user=other, is_admin=True)
    row = FirmMembership.objects.get(firm=firm)
    for user in (owner, add_client(), other):
        client.force_login(user)
        assert invite(client, firm) == 404
        assert deed(client, firm, row, "retirer") == 404
        for path in ("dossiers/", "collaborateurs/"):
            assert client.get(f"/cabinet/{firm.pk}/{path}").status_code == 404
        for path in ("ouvrir/", "demander/", f"{dossier.pk}/detacher/"):
            data = {"name": "X", "email": "x@x.example"}
            assert client.post(f"/cabinet/{firm.pk}/dossiers/{path}", data).status_code == 404
    client.force_login(other)
    away = f"/cabinet/{elsewhere.pk}"
    assert client.post(f"{away}/dossiers/{dossier.pk}/detacher/").status_code == 404
    assert client.post(f"{away}/collaborateurs/{row.pk}/retirer/").status_code == 404
    assert FirmMembership.objects.count() == 2
    assert Organisation.objects.get(pk=dossier.pk).firm == firm

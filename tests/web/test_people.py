"""Users of a dossier: roles per part, invitations, and what nobody may do for himself (D-22)."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    Firm,
    FirmMembership,
    Membership,
    Organisation,
    User,
)
from relance.accounts.services import add_member
from relance.history.models import Event
from relance.ops.smtp_sink import Sink
from relance.outbox import notices
from relance.outbox.models import Notice
from relance.receipts.services.asking import readers
from tests.conftest import NOW

pytestmark = pytest.mark.django_db

PEOPLE = "/d/ateliers-kerdoncuff/parametres/utilisateurs/"


def invite(client: Client, email: str = "lea@kerdoncuff.example", **more: object) -> int:
    data = {"email": email, "full_name": "Léa", "dunning": 0, "bank": 2, "collect": 2, **more}
    return client.post(f"{PEOPLE}inviter/", data).status_code


def roles(client: Client, member: Membership, dunning: int, bank: int, collect: int) -> int:
    data = {"dunning": dunning, "bank": bank, "collect": collect}
    return client.post(f"{PEOPLE}{member.pk}/roles/", data).status_code


def link_of(notice: Notice) -> str:
    found = re.search(r"/invitation/[\w:.-]+/", notice.text)
    assert found, notice.text
    return found[0]


def test_a_person_invited_chooses_a_password_and_whether_requests_reach_him(
    camille: Client, client: Client, organisation: Organisation, tmp_path: Path, settings
) -> None:
    """S0-14: by a real mail; the box is his own, and the link serves once."""
    sink = Sink(tmp_path / "mails")
    sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    assert invite(camille) == 302
    assert notices.deliver(now=NOW) == 1
    [stored] = sink.mails()
    sink.stop()
    assert "Camille Le Goff vous invite" in str(stored.mail()["Subject"])
    link = link_of(Notice.objects.get())
    lea = Client()
    door = lea.get(link)
    assert "Recevoir les demandes de justificatifs" in door.content.decode()
    # With no-referrer a browser would name itself « null » when it posts, and be refused.
    assert door.headers["Referrer-Policy"] == "same-origin"
    weak = lea.post(link, {"full_name": "Léa", "password": "12345678"})
    assert weak.status_code == 200
    data = {"full_name": "Léa Mahé", "password": "trois-goélands-9", "wants_receipt_mails": "on"}
    assert lea.post(link, data).status_code == 302
    assert "Recevoir" not in lea.get(link).content.decode()
    user = User.objects.get(email="lea@kerdoncuff.example")
    assert user.check_password("trois-goélands-9")
    assert [r.user for r in readers(organisation) if r.eligible] == [user]
    assert lea.get("/").headers["Location"].endswith("/banque/")


def test_an_invitation_ends_and_a_false_one_opens_nothing(
    camille: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite(camille)
    link = link_of(Notice.objects.get())
    stranger = Client()
    assert stranger.get(link[:-3] + "xx/").status_code == 404
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=15))
    ended = stranger.post(link, {"full_name": "X", "password": "trois-goélands-9"})
    assert ended.status_code == 404
    assert not User.objects.get(email="lea@kerdoncuff.example").has_usable_password()


def test_an_invitation_is_sent_again_and_told_in_the_journal(
    camille: Client, organisation: Organisation
) -> None:
    invite(camille)
    first = Notice.objects.get()
    member = Membership.objects.get(user__email="lea@kerdoncuff.example")
    assert camille.post(f"{PEOPLE}{member.pk}/renvoyer/").status_code == 302
    assert Notice.objects.get().pk != first.pk
    event = Event.objects.get(organisation=organisation, kind="member_invited")
    assert event.data == {"user": "lea@kerdoncuff.example", "roles": [0, 2, 2]}


def test_who_is_there_already_or_no_address_is_refused(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    assert invite(camille, owner.email.upper()) == 409
    assert invite(camille, "no address") == 422
    assert invite(camille, bank=9) == 422
    organisation.firm = Firm.objects.create(name="Cabinet")
    organisation.save()
    anne = User.objects.create_user("anne@morel.example", "motdepasse1")
    FirmMembership.objects.create(firm=organisation.firm, user=anne)
    assert invite(camille, anne.email) == 409
    assert not Notice.objects.exists()


def test_roles_are_given_part_by_part(
    camille: Client, organisation: Organisation, colleague: User
) -> None:
    """D-22: three ladders, each by itself."""
    member = Membership.objects.get(user=colleague)
    assert roles(camille, member, DunningRole.FINANCE, BankRole.R1, CollectRole.OWN) == 302
    member.refresh_from_db()
    assert (member.dunning_role, member.bank_role, member.collect_role) == (30, 1, 1)
    event = Event.objects.get(organisation=organisation, kind="member_roles")
    assert event.data["before"] == [10, 0, 0]


def test_nobody_raises_his_own_rights(camille: Client, owner: User) -> None:
    mine = Membership.objects.get(user=owner)
    mine.bank_role = BankRole.R1
    mine.save()
    assert roles(camille, mine, DunningRole.ADMIN, BankRole.R3, mine.collect_role) == 409
    mine.refresh_from_db()
    assert mine.bank_role == BankRole.R1
    page = camille.get(PEOPLE).content.decode()
    assert "(vous)" in page


def test_the_last_administrator_stays(
    camille: Client, organisation: Organisation, owner: User, colleague: User
) -> None:
    """Until there is another, or a firm that looks after the dossier."""
    mine = Membership.objects.get(user=owner)
    assert roles(camille, mine, DunningRole.READ, mine.bank_role, mine.collect_role) == 409
    assert camille.post(f"{PEOPLE}{mine.pk}/retirer/").status_code == 409
    add_member(organisation=organisation, user=colleague, dunning_role=DunningRole.ADMIN)
    assert camille.post(f"{PEOPLE}{mine.pk}/retirer/").status_code == 302
    assert not Membership.objects.filter(user=owner).exists()


def test_a_member_removed_sees_nothing_any_more(
    camille: Client, organisation: Organisation, colleague: User
) -> None:
    member = Membership.objects.get(user=colleague)
    assert camille.post(f"{PEOPLE}{member.pk}/retirer/").status_code == 302
    other = Client()
    other.force_login(colleague)
    assert other.get(f"/d/{organisation.slug}/").status_code == 404


def test_a_reader_sees_and_changes_nothing_a_stranger_finds_nothing(
    client: Client, organisation: Organisation, owner: User, colleague: User, stranger: User
) -> None:
    mine = Membership.objects.get(user=colleague)
    client.force_login(colleague)
    page = client.get(PEOPLE).content.decode()
    assert "Seul un administrateur du dossier" in page
    assert "Envoyer l’invitation" not in page
    assert roles(client, mine, 40, 3, 3) == 403
    assert invite(client) == 403
    client.force_login(stranger)
    assert client.get(PEOPLE).status_code == 404
    assert roles(client, mine, 40, 3, 3) == 404
    assert client.post(f"{PEOPLE}{mine.pk}/retirer/").status_code == 404


def test_the_page_of_the_roles_names_every_level_and_the_three_conditions(
    camille: Client,
) -> None:
    """S0-35, S0-12, S0-13, S0-14, S0-15, D-22."""
    page = camille.get("/aide/roles/").content.decode()
    for words in (
        "R0",
        "R1",
        "R2",
        "R3",
        "Restreint : ses documents",
        "Restreint : voir et valider tous les documents",
        "Complet",
        "Chargé de compte",
        "ces trois conditions à la fois",
    ):
        assert words.replace("\u00a0", " ") in page.replace("\u00a0", " "), words


def test_one_chooses_for_oneself_whether_requests_arrive(
    client: Client, organisation: Organisation
) -> None:
    """S0-14: even without any part in the unpaid invoices."""
    user = User.objects.create_user("yann@port.example", "motdepasse1", full_name="Yann")
    add_member(
        organisation=organisation,
        user=user,
        dunning_role=DunningRole.NONE,
        bank_role=BankRole.R2,
        collect_role=CollectRole.ALL,
    )
    client.force_login(user)
    url = f"/d/{organisation.slug}/preferences/"
    page = client.get(url).content.decode()
    assert "Recevoir les demandes de justificatifs" in page
    assert "Récapitulatif" not in page
    data = {"full_name": "Yann", "language": "fr", "receipts": "on"}
    assert client.post(url, data).status_code == 302
    assert Membership.objects.get(user=user).wants_receipt_mails
    client.post(url, {"full_name": "Yann", "language": "fr"})
    assert not Membership.objects.get(user=user).wants_receipt_mails

"""axe finds nothing on the pages of the firm, of people, of requests and of who answers them."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from relance.accounts import first_start
from relance.accounts.firms import ask_to_follow
from relance.accounts.models import Firm, FirmMembership, Organisation, User
from relance.bank.models import BankImport, Pending
from relance.outbox.invitations import invite_accountant
from relance.outbox.models import Message, Notice
from relance.receipts.models import FileSchedule, FirmSchedule, Request, Round
from relance.receipts.services import rounds
from relance.receipts.services.answers import answer_no
from relance.receipts.services.sending import send_request
from tests.browser.walking import Screen, faults_of
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import AddClient, Bring, accountant, add_client, bring, dossier, firm

__all__ = ["accountant", "add_client", "bring", "dossier", "firm"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
SCREENS = [(1280, "light"), (360, "dark")]


@pytest.fixture
def asked(
    firm: Firm, dossier: Organisation, accountant: User, bring: Bring, add_client: AddClient
) -> Request:
    """A firm with what its pages colour: asked, answered, missing, nobody to ask, stopped."""
    client = add_client()
    rows = [bring(-10_000, on=date(2024, 10, 3)), bring(-5_000), bring(-2_500)]
    request = send_request(
        organisation=dossier,
        kind="manual",
        rows=rows,
        users=[client],
        on=TODAY,
        now=NOW,
        actor=accountant,
        note="Avant la clôture, merci.",
    )
    answer_no(row=rows[1], kind="none", by="Yann", on=TODAY, now=NOW, note="perdu")
    nobody = Organisation.objects.create(name="Sans destinataire", slug="nobody", firm=firm)
    bring(of=nobody)
    Pending.objects.create(
        organisation=dossier,
        account=rows[0].account,
        imported=_import(dossier),
        on=TODAY + timedelta(days=1),
        amount_cents=-990,
        label="PRLV EDF",
    )
    FirmSchedule.objects.create(
        firm=firm, enabled=True, first_day=5, second_day=30, enabled_on=TODAY
    )
    FileSchedule.objects.create(organisation=nobody, mode="off")
    invite_accountant(
        firm=firm,
        email="zoe@morel.example",
        full_name="Zoé",
        is_admin=False,
        actor=accountant,
        on=TODAY,
        now=NOW,
    )
    round_ = rounds.open_round(
        firm=firm, organisations=[dossier, nobody], actor=accountant, now=NOW
    )
    rounds.advance(round_, now=NOW, most=1)
    rounds.stop(round_)
    other = Organisation.objects.create(name="Seule", slug="seule")
    other.memberships.create(user=client, dunning_role=40)
    ask_to_follow(firm=firm, email=client.email, actor=accountant, now=NOW)
    return request


def _import(organisation: Organisation) -> BankImport:
    return BankImport.objects.create(organisation=organisation, kind="camt", made_at=NOW)


def of_the_firm(firm: Firm, dossier: Organisation, request: Request) -> list[str]:
    base, own = f"/cabinet/{firm.pk}", f"/d/{dossier.slug}"
    keys = "&".join(f"dossier={one.pk}" for one in firm.organisations.all())
    pages = [
        f"{base}/",
        f"{base}/?etat=erreur",
        f"{base}/?q=rien",
        f"{base}/demander/?{keys}",
        f"{base}/envois/{Round.objects.get().pk}/",
        f"{base}/demandes/",
        f"{base}/reponses/",
        f"{base}/reponses/?vues=1",
        f"{base}/parametres/",
        f"{base}/dossiers/",
        f"{base}/dossiers/{dossier.pk}/calendrier/",
        f"{base}/collaborateurs/",
    ]
    pages += [
        f"{own}/banque/",
        f"{own}/banque/demander/?du=2024-10-01&au=2024-10-31",
        f"{own}/banque/demandes/",
        f"{own}/banque/demandes/{request.pk}/",
        f"{own}/banque/reponses/",
        f"{own}/parametres/utilisateurs/",
        "/aide/roles/",
    ]
    return pages


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_axe_finds_nothing_in_the_espace_expert(
    asked: Request,
    firm: Firm,
    dossier: Organisation,
    accountant: User,
    live_server: LiveServer,
    open_page: OpenPage,
    frozen: object,
    width: int,
    scheme: str,
) -> None:
    client = Client()
    client.force_login(accountant)
    pages = of_the_firm(firm, dossier, asked)
    assert all(client.get(page).status_code == 200 for page in pages)
    screen = Screen(live_server, open_page, width, scheme)
    assert faults_of(pages, client, screen) == []


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_axe_finds_nothing_where_one_enters_without_an_account(
    asked: Request,
    accountant: User,
    live_server: LiveServer,
    open_page: OpenPage,
    frozen: object,
    width: int,
    scheme: str,
) -> None:
    """The links of a request, an invitation, a dossier that a firm asks for."""
    found = re.search(r"/j/[\w-]{43}", Message.objects.get(request_id=asked.pk).text)
    invited = re.search(r"/invitation/[\w:.-]+/", Notice.objects.get(kind="invitation").text)
    assert found
    assert invited
    door = found[0]
    pages = [f"{door}/", f"{door}/excel/", invited[0]]
    pages += [f"{door}/{one.transaction_id}/" for one in asked.asked.all()]
    screen = Screen(live_server, open_page, width, scheme)
    assert faults_of(pages, None, screen) == []
    member = Client()
    member.force_login(User.objects.get(email="yann@port.example"))
    page = ["/d/seule/parametres/utilisateurs/"]
    assert faults_of(page, member, screen) == []


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_axe_finds_nothing_on_the_first_day(
    live_server: LiveServer, open_page: OpenPage, width: int, scheme: str
) -> None:
    """An empty installation, then an empty firm."""
    screen = Screen(live_server, open_page, width, scheme)
    token = first_start.token()
    pages = ["/premier-demarrage/", f"/premier-demarrage/{token}/"]
    assert faults_of(pages, None, screen) == []
    user = first_start.begin(
        is_firm=True, name="Cabinet", email="a@c.example", full_name="Anne", password="motdepasse1"
    )
    client, firm = Client(), FirmMembership.objects.get().firm
    client.force_login(user)
    pages = [
        f"/cabinet/{firm.pk}/",
        f"/cabinet/{firm.pk}/dossiers/",
        f"/cabinet/{firm.pk}/collaborateurs/",
    ]
    assert faults_of(pages, client, screen) == []

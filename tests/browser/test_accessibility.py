"""axe finds nothing on any page of the staff: light and dark, at a desk and on a phone."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.bank.models import BankRule, Document, Transaction
from relance.bank.services import feed, links
from relance.dunning.daily import hooks, run
from relance.dunning.lots import batch_kinds, batches, campaigns, changes
from relance.dunning.models import Action, Batch, Plan, PlanRule, Template
from relance.dunning.services import write_to
from relance.dunning.wording.messages import Words
from relance.ledger.models import Customer, Import
from relance.outbox import print_runs
from relance.outbox.inbound.intake import take_in
from relance.outbox.models import Inbox, Message, PrintRun, Status
from tests.bank.test_documents import paper
from tests.browser.walking import Screen, faults_of
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice
from tests.outbox.mails import answer, bounce, unknown, with_file
from tests.web.banking import movement
from tests.web.test_strangers import addresses

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DOWNLOADS = ("eml", "document", "export", "download", "receipts_preview", "mail_body")
"""What is no page of ours, or a message sealed from every script, axe's too."""


@pytest.fixture
def lived_in(
    organisation: Organisation, plan: Plan, template: Template, owner: User, frozen: datetime
) -> Organisation:
    """A dossier with every state that the pages colour: late, done, failed, uncertain, waiting."""
    yesterday = TODAY - timedelta(days=1)
    for number, late in enumerate((25, 14, 9, 7, -3)):
        customer = make_customer(organisation, plan, f"Client {number}")
        make_invoice(customer, f"F-{number}", TODAY - timedelta(days=late), 123_456)
    nobody = make_customer(organisation, plan, "Sans adresse", email="")
    make_invoice(nobody, "F-9", TODAY - timedelta(days=9), 5_000)
    condition = {"field": "city", "op": "is", "value": ["Brest", "Quimper"]}
    PlanRule.objects.create(
        organisation=organisation, position=1, plan=plan, conditions=[condition]
    )
    Import.objects.create(
        organisation=organisation,
        kind="invoices",
        filename="factures.csv",
        sha256="0",
        made_at=NOW,
        status="done",
        file=ContentFile(b"facture;client\n", name="factures.csv"),
    )
    run.run(organisation, on=yesterday, now=at(yesterday), spread=False, pause=0)
    sent = list(Message.objects.order_by("id"))
    for message, status in zip(
        sent, [Status.FAILED, Status.UNCERTAIN, Status.SENT, Status.CANCELLED], strict=False
    ):
        Message.objects.filter(pk=message.pk).update(
            status=status, sent_at=at(yesterday), error="550 5.1.1 User unknown", reason="SETTLED"
        )
    assert Action.objects.exists()
    _campaigns(organisation, owner)
    _letters(organisation, owner)
    _bank(organisation, owner)
    _answers(organisation, sent[2])
    return organisation


def _answers(organisation: Organisation, message: Message) -> None:
    """A reply with a file, a refusal and a mail of nobody known; an inbox that does not work."""
    refused = bounce(message.message_ref, unknown(message.recipients[0]))
    stranger = answer(sender="perso@gratuit.example")
    for raw in (with_file(message.message_ref), refused, stranger):
        assert take_in(raw, inbox=None, organisation=organisation, now=NOW) is not None
    Inbox.objects.create(
        organisation=organisation,
        address="retours@kerdoncuff.example",
        host="imap.kerdoncuff.example",
        check_error="LOGIN_REFUSED no",
    )


def _bank(organisation: Organisation, owner: User) -> None:
    """Movements with a receipt found, one in part and one proposed; a table half read; a rule."""
    movement(organisation, -8990, "ORANGE PRO")
    links.propose(documents=[paper(organisation, 8990, owner, 1)], now=NOW)
    part = movement(organisation, -30_000, "BRASSEURS")
    given = paper(organisation, 10_000, owner, 2)
    links.associate(row=part, document=given, actor=owner, on=TODAY, now=NOW)
    paper(organisation, 10_000, owner, 3)
    BankRule.objects.create(organisation=organisation, position=1, words="péage")
    raw = "Date;Libellé;Montant\n13/11/2026;CB;-12,50\n".encode()
    feed.receive(organisation=organisation, raw=raw, filename="r.csv", now=NOW, actor=owner)


def of_the_bank(organisation: Organisation) -> list[str]:
    """Pages of Banque that the walk does not reach: panels, documents, a month."""
    slug = organisation.slug
    rows = [row.pk for row in Transaction.objects.filter(organisation=organisation)]
    month = f"{reverse('bank_list', args=[slug])}?du=2026-11-01&au=2026-11-30"
    found = [month, *(f"{month}&operation={key}" for key in rows)]
    found.append(reverse("bank_documents", args=[slug]))
    papers = Document.objects.filter(organisation=organisation)
    found += [reverse("bank_document", args=[slug, one.pk]) for one in papers]
    assert len(found) == 7
    return found


def _letters(organisation: Organisation, owner: User) -> None:
    """One letter that waits for the printer, one that waits for its confirmation."""
    customer = make_customer(
        organisation, None, "Courrier", address="1 rue du Port", postcode="29000", city="Quimper"
    )
    for number in (1, 2):
        letter = write_to(
            customer,
            invoices=[make_invoice(customer, f"L-{number}", TODAY, 10_000)],
            words=Words("Point", "Bonjour,\n\n{{ tableau_factures }}"),
            actor=owner,
            on=TODAY,
            now=NOW,
            channel="letter",
        )
    print_runs.make(
        organisation=organisation,
        message_ids=[letter.pk],
        actor=owner,
        now=NOW,
        hooks=hooks.hooks(lambda: NOW),
    )


def _campaigns(organisation: Organisation, owner: User) -> None:
    """A campaign that is written, one that is over with a client who got nothing, and a change."""
    everyone = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    words = {"subject": "Nos congés", "body": "Bonjour {{ client.nom }},\n\nNous fermons."}
    for done in (False, True):
        batch = campaigns.save(
            organisation,
            None,
            values={
                "title": "Congés",
                "channel": "email",
                "options": {"customers": everyone},
                **words,
            },
            actor=owner,
            now=NOW,
        )
        if done:
            campaigns.launch(batch, actor=owner, on=TODAY, now=NOW)
            batch_kinds.advance(batch, now=NOW)
    foreseen = changes.foresee(organisation, changes.Change("excluded", False), everyone, on=TODAY)
    foreseen = foreseen._replace(targets=everyone[:2])
    batch = changes.draft(organisation, foreseen, title="Inclus", actor=owner, now=NOW)
    batches.open_batch(batch, changes.lines_of(batch, foreseen), now=NOW)
    batches.start(batch, actor=owner, now=NOW)
    batch_kinds.advance(batch, now=NOW)


def of_campaigns(organisation: Organisation) -> list[str]:
    """Their pages, whose numbers are not those of the walk."""
    found = []
    for batch in Batch.objects.filter(organisation=organisation):
        name = {"campaign": "campaign_detail", "change": "bulk_detail"}.get(batch.kind)
        if name:
            found.append(reverse(name, args=[organisation.slug, batch.pk]))
        if batch.kind == "campaign" and batch.status == "draft":
            found.append(reverse("campaign_check", args=[organisation.slug, batch.pk]))
    assert len(found) == 4
    return found


def readable(organisation: Organisation, client: Client) -> list[str]:
    """Every address of the dossier that answers a GET with a page."""
    found = []
    for name, address in addresses(organisation):
        if any(word in name for word in DOWNLOADS):
            continue
        answer = client.get(address)
        page = answer.status_code == 200 and "text/html" in answer.headers["Content-Type"]
        if page and b"<!doctype html>" in answer.content[:200].lower():
            found.append(address)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_overflows(
    lived_in: Organisation,
    owner: User,
    live_server: LiveServer,
    open_page: Callable[..., Page],
    scheme: str,
    width: int,
) -> None:
    """WCAG 2.2 AA; and no page is wider than its window."""
    client = Client()
    client.force_login(owner)
    pages = ["/connexion/", *readable(lived_in, client), *of_campaigns(lived_in)]
    pages += of_the_bank(lived_in)
    pages += [
        f"{reverse('outbox_list', args=[lived_in.slug])}?etat={state}"
        for state in ("file", "partis", "echecs", "incertains", "annules")
    ]
    pages.append(f"{reverse('action_list', args=[lived_in.slug])}?vue=toutes")
    pages.append(reverse("letter_run", args=[lived_in.slug, PrintRun.objects.get().pk]))
    pages.append(f"{reverse('letter_list', args=[lived_in.slug])}?vue=tirages")
    faults = faults_of(pages, client, Screen(live_server, open_page, width, scheme))
    assert faults == []

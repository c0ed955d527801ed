"""Another organisation's row is simply not there: every address, every method, every model."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import IntConverter

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Action, Batch, Plan, PlanRule, Template
from relance.ledger.models import Contact, Credit, Customer, Import, Invoice, Site
from relance.outbox.models import Inbound, Inbox, Message
from tests.conftest import NOW, TODAY, make_customer, make_invoice

OPEN_TO_ALL = {"login", "invitation", "first_start", "first_start_token"}
OF_NO_DOSSIER = {
    *("home", "login", "logout", "subscription_stop", "roles_help"),
    "mailbox_back",  # a question of one's own session, asked for a dossier: test_mailbox_consent
}
OF_THE_API = {"inbound_receive"}
"""Opened by a token of its own: `tests/api` looks at it."""
CALLED_BACK = {"channel_call_post", "channel_call_sms"}
"""Called by a provider with a token in the address: `tests/web/test_channels.py` looks at them."""
OF_A_FIRM = {
    "firm_home",
    "firm_list",
    "firm_ask",
    "firm_round_start",
    "firm_round",
    "firm_round_stop",
    "firm_requests",
    "firm_replies",
    "firm_reply_deed",
    "firm_settings",
    "firm_file",
    "firm_people",
    "firm_people_invite",
    "firm_people_deed",
    "firm_dossiers",
    "firm_dossier_open",
    "firm_dossier_ask",
    "firm_dossier_part",
}
"""Walked by a stranger, a client and another firm's accountant in test_firm, test_firm_people."""

OF_A_DOOR = {
    "portal_list",
    "portal_one",
    "portal_found",
    "portal_excel",
    "portal_workbook",
    "portal_invoices",
    "portal_invoice",
}
"""Opened by a token alone: `tests/portal/test_door.py` and `test_invoices.py` look at them."""
WITHOUT_ORGANISATION = {
    "accounts.User",
    "accounts.Firm",
    "accounts.FirmMembership",
    "receipts.FirmSchedule",  # of the firm
    "outbox.Notice",  # to a user; of a firm it has none
    "receipts.Round",  # of the firm; its lines hang on their dossiers
    "outbox.Inbox",  # without one it is the installation's; pages only find those with
    "outbox.Stray",  # mails of nobody: for the operator, on no page
}
NAMED = (
    Customer,
    Invoice,
    Action,
    Message,
    Plan,
    PlanRule,
    Template,
    Contact,
    Site,
    Credit,
    Import,
    Batch,
    Inbound,
    Inbox,
)
DJANGO = {"auth", "contenttypes", "sessions"}


def patterns(
    resolver: URLResolver | None = None, prefix: str = "", converters: Any = None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, route and converters of every address of the pages."""
    for one in (resolver or get_resolver()).url_patterns:
        known = {**(converters or {}), **one.pattern.converters}
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one, route, known)
        elif isinstance(one, URLPattern):
            yield one.name or "", route, known


def addresses(organisation: Organisation) -> Iterator[tuple[str, str]]:
    """Every address of the dossier, filled with its slug and numbers that exist in it."""
    for name, route, converters in patterns():
        if "slug" not in converters:
            continue
        path = route
        for key, converter in converters.items():
            value = organisation.slug if key == "slug" else "1"
            kind = type(converter).__name__.removesuffix("Converter").lower()
            kind = "int" if isinstance(converter, IntConverter) else kind
            known = (f"<{kind}:{key}>", f"<{key}>", f"<str:{key}>", f"<slug:{key}>")
            for written in known:
                path = path.replace(written, value)
        assert "<" not in path, path
        yield name, f"/{path}"


@pytest.fixture
def full(organisation: Organisation, plan: Plan, template: Template, owner: User) -> Organisation:
    """A dossier that has at least one row, with the number 1, of what addresses name."""
    customer = make_customer(organisation, plan)
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(days=7))
    call = make_customer(organisation, plan, "Appel", email="")
    make_invoice(call, "F-2", TODAY - timedelta(days=7))
    Contact.objects.create(organisation=organisation, customer=customer, name="Mme Delmas")
    Site.objects.create(organisation=organisation, customer=customer, name="Quai Ouest")
    PlanRule.objects.create(organisation=organisation, position=1, plan=plan)
    Credit.objects.create(
        organisation=organisation,
        customer=customer,
        number="A-1",
        on=TODAY,
        total_cents=1,
        left_cents=1,
    )
    Import.objects.create(
        organisation=organisation,
        kind="invoices",
        filename="a.csv",
        file=ContentFile(b"facture;client\n", name="a.csv"),
        sha256="0",
        made_at=NOW,
    )
    for kind in (Batch.Kind.CAMPAIGN, Batch.Kind.CHANGE):
        Batch.objects.create(organisation=organisation, kind=kind, title="Lot", made_at=NOW)
    Inbox.objects.create(organisation=organisation, address="retours@exemple.test")
    Inbound.objects.create(
        organisation=organisation,
        kind=Inbound.Kind.REPLY,
        digest="0",
        raw=ContentFile(b"From: a@b.test\n\nBonjour", name="a.eml"),
        received_at=NOW,
    )
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    for model in (
        Customer,
        Invoice,
        Action,
        Message,
        Plan,
        Template,
        Contact,
        Site,
        Credit,
        Import,
    ):
        assert model._default_manager.exists(), model
    assert invoice.pk
    return organisation


def ids(organisation: Organisation) -> list[int]:
    """Numbers of rows of the dossier that addresses may name."""
    return sorted(
        {
            key
            for model in NAMED
            for key in model._default_manager.filter(organisation=organisation).values_list(
                "pk", flat=True
            )
        }
    )


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch", "head"])
def test_a_stranger_finds_nothing_at_any_address(
    full: Organisation, stranger: User, client: Client, method: str
) -> None:
    """Never 403, never a page, never a row changed: nobody learns what exists."""
    client.force_login(stranger)
    before = list(Message.objects.values_list("pk", "status"))
    actions = list(Action.objects.values_list("pk", "status"))
    seen = 0
    for name, address in addresses(full):
        for key in ids(full):
            path = address.replace("/1/", f"/{key}/")
            answer = getattr(client, method)(path)
            seen += 1
            # 405 is said before anything is read; it tells of the address, not of the data.
            assert answer.status_code in (404, 405), (name, path, answer.status_code)
            if method in ("get", "post") and answer.status_code == 405:
                other = client.post(path) if method == "get" else client.get(path)
                assert other.status_code == 404, (name, path)
            if path == address and "/1/" not in address:
                break
    assert seen > 20
    assert list(Message.objects.values_list("pk", "status")) == before
    assert list(Action.objects.values_list("pk", "status")) == actions


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_logging_in_every_address_leads_to_the_door(
    full: Organisation, client: Client, method: str
) -> None:
    for name, address in addresses(full):
        if name in CALLED_BACK:
            continue
        answer = getattr(client, method)(address)
        assert answer.status_code == 302, (name, address, answer.status_code)
        assert answer.headers["Location"].startswith("/connexion/"), address


def test_a_session_that_ended_under_a_form_comes_back_to_its_page(
    full: Organisation, client: Client
) -> None:
    """The deed answers POST only, so that its own address would be a dead end after the login."""
    page = f"/d/{full.slug}/clients/1/?onglet=definition"
    answer = client.post(
        f"/d/{full.slug}/clients/1/deja-relance/", headers={"referer": f"http://testserver{page}"}
    )
    assert answer.headers["Location"] == (
        f"/connexion/?next=/d/{full.slug}/clients/1/%3Fonglet%3Ddefinition"
    )

    answer = client.post(
        f"/d/{full.slug}/clients/1/deja-relance/", headers={"referer": "https://evil.example/x"}
    )
    assert answer.headers["Location"] == "/connexion/?next=/"


def test_every_other_address_is_known_here() -> None:
    """A new address outside a dossier must be looked at: who may open it?"""
    outside = {name for name, _route, converters in patterns() if "slug" not in converters}
    assert outside <= OF_NO_DOSSIER | OF_A_FIRM | OF_A_DOOR | OF_THE_API | OPEN_TO_ALL | {
        "styleguide",
        "",
        "health",
        "demo_mails",
    }


def test_the_own_people_do_find_their_pages(
    full: Organisation, owner: User, client: Client
) -> None:
    """The walk above would prove nothing if the pages did not exist."""
    client.force_login(owner)
    for name in ("today", "action_list", "outbox_list"):
        address = dict(addresses(full))[name]
        assert client.get(address).status_code == 200, name


def test_every_model_with_data_hangs_on_an_organisation() -> None:
    for model in apps.get_models():
        label = model._meta.label
        if model._meta.app_label in DJANGO or label in WITHOUT_ORGANISATION:
            continue
        if label == "accounts.Organisation":
            continue
        field = {one.name: one for one in model._meta.get_fields()}.get("organisation")
        assert field is not None, label
        assert field.related_model is Organisation, label
        assert not getattr(field, "null", True), label

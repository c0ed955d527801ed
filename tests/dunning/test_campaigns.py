"""Campagnes: who gets the message, who does not and why, and what follows."""

from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import DunningRole, Membership, Organisation, User
from relance.dunning.daily import hooks
from relance.dunning.lots import campaigns
from relance.dunning.lots.campaigns import Wish
from relance.dunning.models import Batch, BatchLine, Entry, InvoiceChase, Plan
from relance.dunning.queries import decisions
from relance.dunning.services import Refused
from relance.dunning.wording.messages import Words
from relance.history.models import Event
from relance.ledger.models import Contact, Credit, Customer
from relance.outbox.models import Message
from tests.conftest import NOW, TODAY, make_customer, make_invoice

pytestmark = pytest.mark.django_db
HOLIDAYS = Words("Nos congés", "Bonjour {{ client.nom }},\n\nNous fermons du 24 au 31.")
OWED = Words("Votre compte", "Bonjour,\n\n{{ tableau_factures }}\n\n{{ signature }}")
LATE = TODAY - timedelta(days=12)


def codes(organisation: Organisation, wish: Wish) -> dict[str, str]:
    items = campaigns.survey(organisation, wish, on=TODAY)
    return {item.name: item.code for item in items}


def drafted(
    organisation: Organisation, owner: User, customers: list[int], words: Words, **options: Any
) -> Batch:
    values = {
        "title": "Congés",
        "channel": options.pop("channel", "email"),
        "subject": words.subject,
        "body": words.body,
        "options": {"customers": customers, **options},
    }
    return campaigns.save(organisation, None, values=values, actor=owner, now=NOW)


def worked(batch: Batch) -> list[BatchLine]:
    """The lines that wait, worked through as the batches do it."""
    lines = list(BatchLine.objects.filter(batch=batch, status="waiting").order_by("id"))
    campaigns.handle(batch, lines, TODAY, NOW)
    for line in lines:
        line.save()
    return lines


def leave(organisation: Organisation) -> None:
    """Everything queued has left."""
    Message.objects.filter(organisation=organisation).update(status="sent", sent_at=NOW)
    hooks.record(list(Message.objects.filter(organisation=organisation, recorded=False)))


def test_a_customer_without_any_invoice_or_plan_gets_a_campaign(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """S3-04, S3-05: where no relance can trigger, a campaign is the remedy."""
    nothing_due = make_customer(organisation, plan, "Rien dû")
    no_plan = make_customer(organisation, None, "Sans plan")
    empty = make_customer(
        organisation, Plan.objects.create(organisation=organisation, name="Vide"), "Plan vide"
    )
    keys = [nothing_due.pk, no_plan.pk, empty.pk]
    batch = drafted(organisation, owner, keys, HOLIDAYS)

    worked(campaigns.launch(batch, actor=owner, on=TODAY, now=NOW))

    messages = {m.customer.name: m for m in Message.objects.select_related("customer")}
    assert set(messages) == {"Rien dû", "Sans plan", "Plan vide"}
    assert "Bonjour Sans plan," in messages["Sans plan"].text
    assert messages["Sans plan"].purpose == "campaign"
    assert messages["Sans plan"].batch_id == batch.pk


def test_it_counts_as_a_contact_and_changes_no_level(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """D-18: what the plan wanted today waits for the end of the minimum delay."""
    customer = make_customer(organisation, plan)
    invoice = make_invoice(customer, "F1", TODAY - timedelta(days=7))
    batch = drafted(organisation, owner, [customer.pk], OWED, about="late")
    worked(campaigns.launch(batch, actor=owner, on=TODAY, now=NOW))
    leave(organisation)

    entry = Entry.objects.get(customer=customer)
    _case, decision = decisions(organisation, [customer.pk], TODAY)[customer.pk]

    assert (entry.kind, entry.level, entry.is_contact) == ("campaign", 0, True)
    assert decision.carriers[0].code == "MIN_CONTACT_DELAY"
    assert InvoiceChase.objects.get(invoice=invoice).level == 0


def test_who_gets_nothing_has_a_reason(organisation: Organisation, plan: Plan) -> None:
    """S3-26: every "no send" is named before anything leaves."""
    make = lambda name, **fields: make_customer(organisation, plan, name, **fields)  # noqa: E731
    customers = [
        make("Reçoit"),
        make("Exclu", excluded=True),
        make("À vérifier", to_review=True),
        make("Jugement", judgment_on=TODAY),
        make("Attend", hold_until=TODAY),
        make("Muet", email=""),
        make("Refusée", email_invalid_since=TODAY),
        make("Contacté"),
    ]
    Entry.objects.create(
        organisation=organisation,
        customer=customers[-1],
        on=TODAY - timedelta(days=2),
        kind="ad_hoc",
    )
    wish = Wish([one.pk for one in customers], HOLIDAYS, recent_days=3)

    assert codes(organisation, wish) == {
        "Reçoit": "",
        "Exclu": "EXCLUDED",
        "À vérifier": "EXCLUDED",
        "Jugement": "JUDGMENT",
        "Attend": "CUSTOMER_ON_HOLD",
        "Muet": "NO_RECIPIENT",
        "Refusée": "NO_RECIPIENT",
        "Contacté": "RECENT_CONTACT",
    }
    assert codes(organisation, wish._replace(recent_days=2))["Contacté"] == ""


def test_words_about_invoices_leave_out_those_who_have_none_to_be_told_of(
    organisation: Organisation, plan: Plan
) -> None:
    """A disputed, promised or held invoice is not asked for; credits may cover the rest."""
    names = ("En retard", "À échoir", "Litige", "Promesse", "Avoir", "Deux monnaies", "Vide")
    people = {name: make_customer(organisation, plan, name) for name in names}
    make_invoice(people["En retard"], "F1", LATE)
    make_invoice(people["À échoir"], "F2", TODAY + timedelta(days=9))
    make_invoice(people["Litige"], "F3", LATE, disputed=True)
    make_invoice(people["Promesse"], "F4", LATE, promise_until=TODAY)
    make_invoice(people["Avoir"], "F5", LATE)
    Credit.objects.create(
        organisation=organisation,
        customer=people["Avoir"],
        number="A1",
        on=LATE,
        total_cents=100_00,
        left_cents=100_00,
    )
    make_invoice(people["Deux monnaies"], "F6", LATE)
    make_invoice(people["Deux monnaies"], "F7", LATE, currency="USD")
    wish = Wish([one.pk for one in people.values()], OWED, about="late")

    assert codes(organisation, wish) == {
        "En retard": "",
        "À échoir": "NO_INVOICE",
        "Litige": "NO_INVOICE",
        "Promesse": "NO_INVOICE",
        "Avoir": "BALANCE_NOT_POSITIVE",
        "Deux monnaies": "TWO_CURRENCIES",
        "Vide": "NO_INVOICE",
    }
    assert codes(organisation, wish._replace(about="open"))["À échoir"] == ""
    assert codes(organisation, wish._replace(words=HOLIDAYS))["Vide"] == ""


def test_only_the_chosen_invoices_are_told_of(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F1", LATE)
    chosen = make_invoice(customer, "F2", TODAY + timedelta(days=9), 40_00)
    wish = Wish([customer.pk], OWED, about="chosen", chosen={customer.pk: [chosen.pk]})

    found = campaigns.written(organisation, wish, customer.pk, on=TODAY, now=NOW, actor=owner)

    assert found is not None
    _item, draft = found
    assert ("F2" in draft.text, "F1" in draft.text, draft.amount_cents) == (True, False, 40_00)
    assert draft.recipients == ["compta@pharmacie.example"]


def test_two_records_of_one_company_get_one_message_when_asked(
    organisation: Organisation, plan: Plan
) -> None:
    make_customer(organisation, plan, "Armor Nantes", email="compta@armor.example", code="A1")
    make_customer(organisation, plan, "Armor Brest", email="Compta@armor.example", code="A2")
    keys = list(Customer.objects.values_list("pk", flat=True))

    once = campaigns.survey(organisation, Wish(keys, HOLIDAYS, once=True), on=TODAY)

    assert sorted(item.code for item in once) == ["", "SAME_ADDRESS"]
    assert codes(organisation, Wish(keys, HOLIDAYS)) == {"Armor Nantes": "", "Armor Brest": ""}


@pytest.mark.parametrize(
    ("body", "about", "expected"),
    [
        ("{{ client.nm }}", "none", "Vouliez-vous dire « client.nom »"),
        ("{{ montant }}", "none", "Le texte parle de factures"),
        ("{{ niveau }}", "late", "une campagne n’a pas de niveau"),
        ("{{ montant", "late", "est resté seul"),
    ],
)
def test_words_at_fault_are_refused_with_the_remedy(
    organisation: Organisation,
    plan: Plan,
    owner: User,
    body: str,
    about: str,
    expected: str,
) -> None:
    customer = make_customer(organisation, plan)
    batch = drafted(organisation, owner, [customer.pk], Words("x", body), about=about)

    with pytest.raises(Refused, match=expected):
        campaigns.launch(batch, actor=owner, on=TODAY, now=NOW)
    assert not BatchLine.objects.exists()


def test_two_people_launch_and_it_leaves_once(
    organisation: Organisation, plan: Plan, owner: User, colleague: User
) -> None:
    customer = make_customer(organisation, plan)
    batch = drafted(organisation, owner, [customer.pk], HOLIDAYS)
    campaigns.launch(batch, actor=owner, on=TODAY, now=NOW)

    with pytest.raises(Refused, match="Camille Le Goff a déjà lancé"):
        campaigns.launch(batch, actor=colleague, on=TODAY, now=NOW)
    with pytest.raises(Refused, match="Camille Le Goff a déjà lancé"):
        campaigns.save(organisation, batch, values={"title": "x"}, actor=colleague, now=NOW)

    assert BatchLine.objects.count() == 1


def test_a_campaign_launched_meanwhile_is_not_deleted_as_a_draft(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """The colleague's page still showed a draft: what leaves keeps its list of who got it."""
    batch = drafted(organisation, owner, [make_customer(organisation, plan).pk], HOLIDAYS)
    stale = Batch.objects.get(pk=batch.pk)
    campaigns.launch(batch, actor=owner, on=TODAY, now=NOW)

    with pytest.raises(Refused, match="Camille Le Goff a déjà lancé"):
        campaigns.discard(stale)

    assert BatchLine.objects.filter(batch=batch).count() == 1


def test_a_campaign_changed_while_it_was_being_launched_is_read_again_first(
    organisation: Organisation, plan: Plan, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaves in words that nobody has checked."""
    batch = drafted(organisation, owner, [make_customer(organisation, plan).pk], HOLIDAYS)
    known = campaigns.survey

    def surveyed(*of: Any, **more: Any) -> Any:
        Batch.objects.filter(pk=batch.pk).update(body="Autre chose")
        return known(*of, **more)

    monkeypatch.setattr(campaigns, "survey", surveyed)
    with pytest.raises(Refused, match="vient d’être modifiée"):
        campaigns.launch(batch, actor=owner, on=TODAY, now=NOW)

    assert not BatchLine.objects.exists()


def test_a_scheduled_campaign_looks_again_at_each_when_it_leaves(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """Paid, excluded or without address meanwhile: nothing is sent, and the line says why."""
    people = [make_customer(organisation, plan, name) for name in ("Un", "Deux", "Trois")]
    for n, one in enumerate(people):
        make_invoice(one, f"F{n}", LATE)
    batch = drafted(organisation, owner, [one.pk for one in people], OWED, about="late")
    later = NOW + timedelta(days=2)
    batch = campaigns.launch(batch, actor=owner, on=TODAY, now=NOW, not_before=later)
    people[0].invoices.update(balance_cents=0)
    Customer.objects.filter(pk=people[1].pk).update(excluded=True)

    lines = worked(batch)

    assert (batch.status, batch.not_before) == ("scheduled", later)
    assert {line.customer.name: line.reason for line in lines} == {
        "Un": "NO_INVOICE",
        "Deux": "EXCLUDED",
        "Trois": "",
    }
    assert [m.customer_id for m in Message.objects.all()] == [people[2].pk]


@pytest.mark.parametrize("gone", ["inactive", "out", "reader"])
def test_nothing_scheduled_leaves_under_the_name_of_one_who_has_left(
    organisation: Organisation, plan: Plan, owner: User, gone: str
) -> None:
    """Asked again at each chunk: his account, his membership, his role."""
    customer = make_customer(organisation, plan)
    batch = drafted(organisation, owner, [customer.pk], HOLIDAYS)
    later = NOW + timedelta(days=2)
    batch = campaigns.launch(batch, actor=owner, on=TODAY, now=NOW, not_before=later)
    mine = Membership.objects.filter(user=owner)
    if gone == "inactive":
        User.objects.update(is_active=False)
    elif gone == "out":
        mine.delete()
    else:
        mine.update(dunning_role=DunningRole.READ)

    [line] = worked(batch)

    assert (line.status, line.reason) == ("refused", "NO_SENDER")
    assert not Message.objects.exists()


def test_a_message_on_its_way_dies_when_the_customer_is_excluded(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    customer = make_customer(organisation, plan)
    worked(
        campaigns.launch(
            drafted(organisation, owner, [customer.pk], HOLIDAYS), actor=owner, on=TODAY, now=NOW
        )
    )
    message = Message.objects.get()
    assert hooks.recheck([message], NOW) == {}

    Customer.objects.update(excluded=True)

    [verdict] = hooks.recheck([message], NOW).values()
    assert getattr(verdict, "reason", "") == "EXCLUDED"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"disputed": True}, "DISPUTED"),
        ({"promise_until": TODAY}, "PROMISED"),
        ({"hold_until": TODAY}, "INVOICE_ON_HOLD"),
        ({"promise_until": TODAY - timedelta(days=1)}, ""),
    ],
)
def test_a_message_on_its_way_does_not_ask_for_what_was_agreed_to_wait(
    organisation: Organisation, plan: Plan, owner: User, change: dict[str, Any], why: str
) -> None:
    """The filter of the launch, asked again just before it leaves (3.11)."""
    customer = make_customer(organisation, plan)
    invoice = make_invoice(customer, "F1", LATE)
    batch = drafted(organisation, owner, [customer.pk], OWED, about="late")
    worked(campaigns.launch(batch, actor=owner, on=TODAY, now=NOW))
    message = Message.objects.get()
    assert hooks.recheck([message], NOW) == {}

    type(invoice).objects.update(**change)

    found = hooks.recheck([message], NOW).values()
    assert [getattr(one, "reason", "") for one in found] == ([why] if why else [])


def test_a_repaired_address_is_taken_up_again_and_nobody_gets_two(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    fine, mute = (
        make_customer(organisation, plan, "Va bien"),
        make_customer(organisation, plan, "Muet", email=""),
    )
    batch = drafted(organisation, owner, [fine.pk, mute.pk], HOLIDAYS)
    batch = campaigns.launch(batch, actor=owner, on=TODAY, now=NOW)
    worked(batch)
    Batch.objects.filter(pk=batch.pk).update(status="done", done=1)
    Contact.objects.create(
        organisation=organisation, customer=mute, name="Mme Le Bris", email="lebris@muet.example"
    )

    again = campaigns.take_up(batch, actor=owner, now=NOW)
    told = Event.objects.get(kind="batch_taken_up")
    assert (told.actor_name, told.data["lines"]) == ("Camille Le Goff", 1)
    worked(batch)

    assert again == 1
    assert sorted(m.recipients[0] for m in Message.objects.all()) == [
        fine.email,
        "lebris@muet.example",
    ]
    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.refused) == ("running", 1, 0)
    campaigns.settle(batch, actor=owner, now=NOW)
    assert Event.objects.get(kind="batch_settled").actor_name == "Camille Le Goff"


def test_letters_go_to_those_with_a_postal_address(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """By post, the e-mail address does not matter; the letter waits to be printed."""
    posted = make_customer(
        organisation,
        plan,
        "Posté",
        email="",
        address="3 quai Ouest",
        postcode="29000",
        city="Quimper",
    )
    nowhere = make_customer(organisation, plan, "Nulle part")
    batch = drafted(organisation, owner, [posted.pk, nowhere.pk], HOLIDAYS, channel="letter")
    worked(campaigns.launch(batch, actor=owner, on=TODAY, now=NOW))

    message = Message.objects.get()
    assert (message.channel, message.customer) == ("letter", posted)
    assert message.letter is not None
    assert message.letter["to"][-1] == "29000 QUIMPER"
    assert BatchLine.objects.get(customer=nowhere).reason == "NO_ADDRESS"


def test_a_survey_costs_the_same_for_one_or_for_many(
    organisation: Organisation, plan: Plan, django_assert_max_num_queries: Any
) -> None:
    for n in range(40):
        make_invoice(make_customer(organisation, plan, f"C{n}", code=f"K{n}"), f"F{n}", LATE)
    keys = list(Customer.objects.values_list("pk", flat=True))

    with django_assert_max_num_queries(25):
        items = campaigns.survey(organisation, Wish(keys, OWED, about="late"), on=TODAY)

    assert len([item for item in items if not item.code]) == 40

"""À relancer: encaissements by level, as a building company works through them (S4-08 to S4-32)."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.models import Plan, Step
from relance.dunning.services.marking import mark_listed
from relance.engine.calendar import previous_working_day
from relance.history.models import Event
from relance.ledger import services as ledger
from tests.conftest import NOW, TODAY, make_invoice
from tests.web.chantiers import (
    LIST,
    debtor,
    late,
    look,
    mark,
    morning,
    page,
    plan_by_age,
    section,
    site_of,
    words,
)
from tests.web.record import freeze


@pytest.fixture
def chantiers(organisation: Organisation) -> Plan:
    return plan_by_age(organisation)


# --- what is listed ---------------------------------------------------------------


def test_encaissements_stand_under_the_level_of_their_age(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-08, S4-09, S4-15: from +7 days an unpaid encaissement belongs to the level at +7."""
    client = debtor(organisation, chantiers)
    for number, days in (("F-6", 6), ("F-7", 7), ("F-14", 14), ("F-15", 15), ("F-40", 40)):
        late(client, number, days)
    look(organisation)
    text = page(camille)
    assert "F-6<" not in text
    first = section(text, "Premier rappel (2)")
    assert "F-7<" in first
    assert "F-14<" in first
    assert "F-15<" in section(text, "Second rappel (3)")
    assert "F-40<" in section(text, "Mise en demeure (4)")
    assert "2 encaissements" in first
    assert "2 400,00 €" in first


def test_a_reminder_before_the_due_date_has_its_section(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-10: five days before, and no longer once the date has come."""
    client = debtor(organisation, chantiers)
    late(client, "F-soon", -4)
    late(client, "F-later", -9)
    late(client, "F-today", 0)
    look(organisation)
    text = page(camille)
    before = section(text, "Pré-rappel (1)")
    assert "F-soon<" in before
    assert "dans 4 j" in before
    assert "F-later<" not in text
    assert "F-today<" not in text


def test_a_level_that_sends_by_itself_is_marked(
    camille: Client, organisation: Organisation
) -> None:
    """S4-15: « automatique » and when it leaves; nothing is promised for a day off."""
    plan = plan_by_age(organisation, automatic=(2,))
    late(debtor(organisation, plan), "F-1", 8)
    organisation.sending_on = False
    organisation.save()
    look(organisation)
    text = section(page(camille), "Premier rappel (2)")
    assert "automatique" in text
    assert "envois suspendus" in text


def test_paying_removes_the_encaissement_at_once(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-32: no pass is needed between the payment and the list."""
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    assert "F-1<" in page(camille)
    ledger.record_payment(invoice=invoice, amount_cents=120_000, on=TODAY, now=NOW)
    assert "F-1<" not in page(camille)


def test_a_disputed_or_promised_encaissement_is_not_to_be_chased(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    client = debtor(organisation, chantiers)
    one, two = late(client, "F-1", 8), late(client, "F-2", 9)
    look(organisation)
    ledger.open_dispute(invoice=one, on=TODAY, now=NOW, category="Livraison", note="")
    ledger.promise(invoice=two, until=TODAY + timedelta(5), on=TODAY, now=NOW)
    assert "F-1<" not in page(camille)
    assert "F-2<" not in page(camille)


def test_one_may_filter_by_plan_site_client_and_text(
    camille: Client, organisation: Organisation, chantiers: Plan, plan: Plan
) -> None:
    roussel = debtor(organisation, chantiers, "Roussel")
    delmas = debtor(organisation, plan, "Délmas")
    quai = site_of(roussel, "Quai Ouest", "chef@roussel.example")
    late(roussel, "F-quai", 8, quai)
    late(roussel, "F-autre", 9)
    late(delmas, "F-delmas", 25)
    organisation.sending_on = False
    organisation.save()
    look(organisation)
    for query, shown in (
        (f"?plan={plan.pk}", {"F-delmas"}),
        (f"?chantier={quai.pk}", {"F-quai"}),
        (f"?client={roussel.pk}", {"F-quai", "F-autre"}),
        ("?q=quai ouest", {"F-quai"}),
        ("?q=delmas", {"F-delmas"}),
        ("?q=F-AUTRE", {"F-autre"}),
        (f"?niveau={chantiers.pk}-2", {"F-quai", "F-autre"}),
        ("?q=%00'\"<script>", set()),
        ("?niveau=-&plan=x&page=999999999999999999999", {"F-quai", "F-autre", "F-delmas"}),
    ):
        text = page(camille, query)
        found = {one for one in ("F-quai", "F-autre", "F-delmas") if f"{one}<" in text}
        found |= {one for one in ("F-quai", "F-autre", "F-delmas") if f"{one} <" in text}
        assert found == shown, query


def test_a_long_list_is_cut_by_level_and_paged(
    camille: Client,
    organisation: Organisation,
    chantiers: Plan,
    django_assert_max_num_queries: Any,
) -> None:
    """The database pages; the cost of the page does not depend on how many there are."""
    for number in range(60):
        client = debtor(organisation, chantiers, f"Client {number}", code=f"C{number}")
        late(client, f"F-{number:03}", 8 + number % 3)
    look(organisation)
    with django_assert_max_num_queries(41):
        text = page(camille)
    assert text.count("data-row ") == 12
    assert "Voir les 60" in text
    text = page(camille, f"?niveau={chantiers.pk}-2")
    assert text.count("data-row ") == 50
    assert "1 à 50 sur 60" in text


def test_an_empty_list_says_when_the_next_level_comes(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    late(debtor(organisation, chantiers), "F-1", 2)
    look(organisation)
    assert "Rien à relancer." in page(camille)
    assert "prochain niveau" in page(camille)


def test_a_customer_who_is_chased_as_a_whole_has_one_line_for_all_his_invoices(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """A plan by customer: the next level of its reference, and what its message would ask."""
    Step.objects.filter(plan=plan).update(automatic=False)
    client = debtor(organisation, plan)
    make_invoice(client, "F-1", TODAY - timedelta(9), 100_00)
    make_invoice(client, "F-2", TODAY - timedelta(2), 50_00)
    look(organisation)
    text = section(page(camille), "Second rappel (2)")
    assert "F-1" in text
    assert "+ 1" in text
    assert "150,00 €" in text
    assert "en 1 relance" in page(camille)


def test_an_encaissement_held_by_the_delay_stays_and_says_from_when(
    camille: Client, organisation: Organisation, chantiers: Plan, owner: User
) -> None:
    """Worked example T-44: a message about one leaves the two others listed."""
    Plan.objects.filter(pk=chantiers.pk).update(min_contact_days=5)
    client = debtor(organisation, chantiers)
    one, _two, _three = (late(client, f"F-{n}", 8 + n) for n in (1, 2, 3))
    look(organisation)
    services.mark_as_chased(client, invoice=one, actor=owner, on=TODAY, now=NOW)
    text = page(camille)
    assert "F-1<" not in text
    assert text.count("possible dès le 29 nov.") == 2


# --- already chased ---------------------------------------------------------------


def test_marked_as_already_chased_leaves_the_list_until_the_next_level(
    camille: Client,
    organisation: Organisation,
    chantiers: Plan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S4-23, S4-24, T-34: marked at +8, away until +14, back at +15 under the next level."""
    client = debtor(organisation, chantiers)
    invoice = late(client, "F-1", 8)
    look(organisation)
    text = words(mark(camille, invoice, note="Appelé M. Riou"))
    assert "déjà relancé, à reprendre" in text
    assert "F-1<" not in page(camille)
    event = Event.objects.get(kind="marked_as_chased")
    assert event.data["note"] == "Appelé M. Riou"
    for days, shown in ((5, False), (6, False), (7, True)):
        on = TODAY + timedelta(days)
        freeze(monkeypatch, on)
        morning(organisation, on)
        camille.force_login(User.objects.get(email="camille@kerdoncuff.example"))
        text = page(camille)
        assert ("F-1<" in text) is shown, days
    assert "F-1<" in section(text, "Second rappel (3)")


def test_several_are_marked_at_once_and_the_mark_is_undone(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-23: one or several; « Annuler » puts them back with the level they had."""
    client = debtor(organisation, chantiers)
    one, two = late(client, "F-1", 8), late(client, "F-2", 9)
    look(organisation)
    asked = camille.get(f"{LIST}deja-relance/", {"ligne": [one.pk, two.pk]})
    assert "2 encaissements" in words(asked)
    mark(camille, one, two)
    assert "F-1<" not in page(camille)
    assert "F-2<" not in page(camille)
    camille.post(f"{LIST}deja-relance/annuler/?ligne={one.pk}&ligne={two.pk}")
    text = section(page(camille), "Premier rappel (2)")
    assert "F-1<" in text
    assert "F-2<" in text
    one.refresh_from_db()
    assert one.chase.level == 0
    again = camille.post(f"{LIST}deja-relance/annuler/?ligne={one.pk}", follow=True)
    assert "déjà été annulée" in words(again)


def test_only_the_one_who_marked_may_undo_it(
    organisation: Organisation, chantiers: Plan, owner: User, client: Client
) -> None:
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    mark_listed(organisation, invoices=[invoice], level=2, actor=owner, on=TODAY, now=NOW)
    other = User.objects.create_user("lea@kerdoncuff.example", "x", full_name="Léa")
    organisation.memberships.create(user=other, dunning_role=30)
    client.force_login(other)
    answer = client.post(f"{LIST}deja-relance/annuler/?ligne={invoice.pk}", follow=True)
    assert "n’est pas de vous" in words(answer)


# --- three people -----------------------------------------------------------------


def test_a_reader_sees_the_list_and_why_he_cannot_act(
    organisation: Organisation, chantiers: Plan, colleague: User, client: Client
) -> None:
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    client.force_login(colleague)
    text = page(client)
    assert "F-1<" in text
    assert "lecture seule" in text
    assert client.get(f"{LIST}relancer/?ligne={invoice.pk}").status_code == 403
    assert client.post(f"{LIST}deja-relance/", {"ligne": invoice.pk}).status_code == 403


def test_a_stranger_finds_nothing(
    organisation: Organisation, chantiers: Plan, stranger: User, client: Client
) -> None:
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    client.force_login(stranger)
    assert client.get(LIST).status_code == 404
    own = "/d/ailleurs/a-relancer/"
    assert "F-1" not in client.get(own).content.decode()
    assert client.get(f"{own}relancer/?ligne={invoice.pk}").status_code == 404
    answer = client.post(f"{own}deja-relance/", {"ligne": invoice.pk, "niveau": "1-2"})
    assert answer.status_code == 302
    assert not Event.objects.filter(kind="marked_as_chased").exists()


def test_days_before_a_weekend_are_those_of_the_engine() -> None:
    """The tests above lie in one working week, so that no automatic reminder moves."""
    assert previous_working_day("metropole", TODAY - timedelta(1)) == date(2026, 11, 23)

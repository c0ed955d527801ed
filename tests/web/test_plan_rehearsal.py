"""The last twelve months played again beside the editor, and the deeds of a whole plan."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.models import Entry, Plan
from relance.dunning.plans import rehearsal
from relance.engine import model as engine
from relance.ledger.models import Customer, Payment
from relance.outbox.models import Message
from tests.conftest import make_customer, make_invoice
from tests.web.test_plans import D, save, typed, words

JUNE = date(2026, 6, 1)


@pytest.fixture
def year(customer: Customer) -> Customer:
    """Three invoices of June and July, paid fifteen days late."""
    for n in range(3):
        due = JUNE + timedelta(days=30 * n)
        invoice = make_invoice(customer, f"F{n}", due, balance_cents=0)
        Payment.objects.create(
            organisation=customer.organisation,
            invoice=invoice,
            on=due + timedelta(days=15),
            amount_cents=100_00,
        )
    return customer


def play(client: Client, plan: Plan, **changes: Any) -> str:
    do, only = changes.pop("do", ""), changes.pop("only", "")
    data = typed(plan, **changes) | {"do": f"play:{do}", "only": only}
    return words(client.post(f"{D}/plans/rejeu/", data))


def test_the_plan_is_played_on_the_real_year(camille: Client, year: Customer, plan: Plan) -> None:
    """Messages by level and month, who was contacted most; DMC as in S3-24."""
    text = play(camille, plan)

    assert "Rejoué sur 12 mois" in text
    assert "3\xa0factures" in text
    assert "9\xa0relances" in text
    assert "3\xa0retardées par le DMC" in text
    assert "<svg" in text
    assert "3, 100\xa0%" in text
    assert "Pharmacie Delmas" in text
    assert "Les règlements sont les vrais" in text
    assert "Échantillon" not in text
    assert not Message.objects.exists()
    assert not Entry.objects.exists()


def test_the_two_remedies_stand_beside_the_plan(
    camille: Client, year: Customer, plan: Plan
) -> None:
    """S3-25: another trigger, or a shorter delay; each with what it would have done."""
    text = play(camille, plan)

    assert "Niveau 3 à J+12" in text
    assert "DMC de 3\xa0jours" in text
    assert "rejeu en cours" in text
    lone = play(camille, plan, only="delay:3")
    assert "9\xa0relances, 0\xa0retardée" in lone
    assert "<section" not in lone

    chosen = play(camille, plan, do="trigger:3:12")
    assert "Appliquer au plan" in chosen
    assert 'value="trigger:3:12"' in chosen
    applied = words(save(camille, plan, do="trigger:3:12"))
    assert 'name="niveau-2-days" value="12"' in applied


def test_a_plan_being_changed_is_compared_with_the_saved_one(
    camille: Client, year: Customer, plan: Plan
) -> None:
    text = play(camille, plan, **{"niveau-2-days": 12})

    assert "Plan modifié" in text
    assert "Plan enregistré" in text
    assert "aucune retardée par le DMC" in text
    assert "DMC de 3\xa0jours" in text
    assert "DMC de 10\xa0jours" in text
    assert "3\xa0retardées" in play(camille, plan, only="saved", **{"niveau-2-days": 12})
    assert plan.steps.get(level=3).days == 10


def test_what_was_played_is_not_played_again_before_a_fact_changes(
    camille: Client, year: Customer, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = []
    really = rehearsal.rehearse

    def counted(found: rehearsal.Sample, asked: engine.Plan) -> rehearsal.Rehearsed:
        count.append(asked)
        return really(found, asked)

    monkeypatch.setattr(rehearsal, "rehearse", counted)
    cache.clear()

    play(camille, plan, only="delay:3")
    assert play(camille, plan).count("rejeu en cours") == 1
    play(camille, plan)
    assert len(count) == 2

    Payment.objects.filter(invoice__number="F0").update(on=JUNE + timedelta(days=1))
    assert "7\xa0relances" in play(camille, plan)


def test_playing_costs_the_same_with_many_levels(
    camille: Client,
    year: Customer,
    plan: Plan,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(36):
        play(camille, plan)


def test_while_something_is_wrong_the_rehearsal_waits(camille: Client, plan: Plan) -> None:
    assert "attend que les champs" in play(camille, plan, **{"niveau-2-days": 6})
    assert "Ajoutez un niveau" in play(camille, plan, **{"niveau-TOTAL_FORMS": 0})


def test_a_year_without_invoices_says_what_to_do(camille: Client, plan: Plan) -> None:
    assert "Aucune facture de ces douze mois" in play(camille, plan)


def test_without_script_a_button_plays_it(camille: Client, year: Customer, plan: Plan) -> None:
    page = words(camille.get(f"{D}/plans/{plan.pk}/"))
    assert 'value="play:typed"' in page

    text = words(save(camille, plan, do="play:typed", **{"niveau-0-name": "Prévenance"}))
    assert "3\xa0retardées par le DMC" in text
    assert "rejeu en cours" not in text
    assert 'value="Prévenance"' in text


@pytest.mark.parametrize("do", ["rien", "trigger:99:1", "<script>", "²"])
def test_a_scenario_that_nobody_made_is_the_plan_itself(
    camille: Client, year: Customer, plan: Plan, do: str
) -> None:
    assert "9\xa0relances" in play(camille, plan, do=do)
    assert "9\xa0relances" in play(camille, plan, only=do)


def test_a_reader_sees_the_saved_plan_played(
    client: Client, colleague: User, year: Customer, plan: Plan
) -> None:
    client.force_login(colleague)

    text = play(client, plan, min_contact_days=3)
    assert "3\xa0retardées par le DMC" in text
    assert "Appliquer au plan" not in play(client, plan, do="delay:3")


def test_a_stranger_plays_nothing(client: Client, stranger: User, plan: Plan) -> None:
    client.force_login(stranger)
    for slug in ("ailleurs", "ateliers-kerdoncuff"):
        data = typed(plan) | {"do": "play:"}
        assert client.post(f"/d/{slug}/plans/rejeu/", data).status_code == 404


# --- the plan as a whole ----------------------------------------------------------------


def test_a_plan_is_paused_and_taken_up_again_in_one_click(
    camille: Client, customer: Customer, plan: Plan
) -> None:
    answer = camille.post(f"{D}/plans/{plan.pk}/pause/", {"paused": "1"}, follow=True)
    text = words(answer)
    assert "plus rien n’en part" in text
    assert "Reprendre le plan" in text
    assert "En pause" in words(camille.get(f"{D}/plans/"))
    assert Plan.objects.get().paused

    save(camille, plan, **{"niveau-2-days": 12})
    assert Plan.objects.get().paused

    camille.post(f"{D}/plans/{plan.pk}/pause/", {"paused": "0"})
    assert not Plan.objects.get().paused


def test_only_an_administrator_pauses(client: Client, colleague: User, plan: Plan) -> None:
    client.force_login(colleague)
    assert client.post(f"{D}/plans/{plan.pk}/pause/", {"paused": "1"}).status_code == 403


def test_an_empty_plan_says_what_it_does_not_do(
    camille: Client, customer: Customer, plan: Plan
) -> None:
    """S3-05: an empty plan, or none: another plan, or a campaign."""
    plan.steps.all().delete()
    text = words(camille.get(f"{D}/plans/{plan.pk}/"))
    assert "Ce plan est vide." in text
    assert "campagne" in text

    make_customer(customer.organisation, None, "Sans plan", code="SANS")
    listed = words(camille.get(f"{D}/plans/"))
    assert "ne relance personne" in listed
    assert "Aucun plan de relance" in listed
    assert f"{D}/clients/?etat=sansplan" in listed


def test_a_level_keeps_its_owners_functions_and_confirmation(
    camille: Client, plan: Plan, owner: User, organisation: Organisation
) -> None:
    """S4-13; who does a level by hand and whom it writes to first."""
    marie = User.objects.create_user("marie@kerdoncuff.example", "motdepasse1")
    add_member(organisation=organisation, user=marie, dunning_role=DunningRole.ACCOUNT_MANAGER)
    changes = {
        "niveau-1-to_confirm": "on",
        "niveau-1-functions": "Comptable; direction, ,Comptable",
        "niveau-3-owners": str(marie.pk),
    }
    moved = words(save(camille, plan, do="down:2", **changes))
    assert 'name="niveau-2-functions" value="Comptable; direction, ,Comptable"' in moved
    assert "d’abord à\xa0: Comptable" in moved
    assert "par\xa0: marie@kerdoncuff.example" in moved

    assert save(camille, plan, **changes).status_code == 302
    second, call = plan.steps.get(level=2), plan.steps.get(level=4)
    assert (second.to_confirm, second.functions) == (True, ["Comptable", "direction"])
    assert list(call.owners.all()) == [marie]
    assert save(camille, plan, **{"niveau-3-owners": "999999"}).status_code == 200


def test_everything_about_plans_is_open_to_every_dossier(client: Client, stranger: User) -> None:
    """S4-02, S4-01: no subscription: a dossier founded a minute ago has one plan for the company,
    with automatic levels, rules, files and the rehearsal.
    """
    client.force_login(stranger)
    home = "/d/ailleurs/plans/"
    begun = client.post("/d/ailleurs/modeles/commencer/")
    plan = Plan.objects.get(is_default=True)
    assert begun.headers["Location"] == f"{home}{plan.pk}/"
    assert plan.steps.filter(automatic=True).count() == 3

    for page in ("", f"{plan.pk}/", "nouveau/", "regles/", "affectations/"):
        text = words(client.get(home + page)).lower()
        assert "abonnement" not in text
        assert "seul un administrateur" not in text
    saved = client.post(f"{home}{plan.pk}/", typed(plan, **{"niveau-3-automatic": ""}))
    assert saved.status_code == 302
    played = client.post(f"{home}rejeu/", typed(plan) | {"do": "play:"})
    assert "Rejoué sur 12 mois" in words(played)

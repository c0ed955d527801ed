"""The list of plans and the editor, used by an administrator, a reader and a stranger."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, Template
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_invoice

D = "/d/ateliers-kerdoncuff"


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def camille(client: Client, owner: User, organisation: Organisation) -> Client:
    client.force_login(owner)
    return client


def typed(plan: Plan | None, **changes: Any) -> dict[str, str]:
    """What the browser sends for this plan, with some fields typed over."""
    data = {
        "plan": str(plan.pk) if plan else "",
        "name": plan.name if plan else "Nouveau",
        "min_contact_days": "5",
        "scope": "customer",
        "progression": "sequence",
        "grouping": "none",
        "minimum": "0",
        "niveau-TOTAL_FORMS": "0",
        "niveau-INITIAL_FORMS": "0",
    }
    steps = list(plan.steps.order_by("level")) if plan else []
    data["niveau-TOTAL_FORMS"] = str(len(steps))
    for n, step in enumerate(steps):
        data |= {
            f"niveau-{n}-name": step.name,
            f"niveau-{n}-days": str(abs(step.days)),
            f"niveau-{n}-trigger": "before" if step.days < 0 else step.anchor,
            f"niveau-{n}-channel": step.channel,
            f"niveau-{n}-template": str(step.template_id or ""),
        }
        if step.automatic:
            data[f"niveau-{n}-automatic"] = "on"
    return data | {key.replace("__", "-"): str(value) for key, value in changes.items()}


def save(client: Client, plan: Plan | None, **changes: Any) -> Any:
    url = f"{D}/plans/{plan.pk}/" if plan else f"{D}/plans/nouveau/"
    return client.post(url, typed(plan, **changes))


def words(answer: Any) -> str:
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def live(client: Client, plan: Plan | None, **changes: Any) -> str:
    return words(
        client.post(f"{D}/plans/esquisse/", typed(plan, **changes), headers={"HX-Request": "true"})
    )


# --- what one sees ----------------------------------------------------------------


def test_the_list_says_levels_and_followers(camille: Client, customer: Customer) -> None:
    text = words(camille.get(f"{D}/plans/"))

    assert "Standard" in text
    assert "Dernier rappel (3)" in text
    assert "Par client, niveaux à la suite" in text


def test_the_list_costs_the_same_for_one_plan_or_many(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for n in range(20):
        Plan.objects.create(organisation=organisation, name=f"Plan {n}")

    with django_assert_max_num_queries(21):
        camille.get(f"{D}/plans/")


def test_without_a_plan_the_standard_one_is_a_click_away(camille: Client) -> None:
    """S4-01, S4-03."""
    assert "Commencer avec le plan Standard" in words(camille.get(f"{D}/plans/"))

    answer = camille.post(f"{D}/modeles/commencer/")

    made = Plan.objects.get()
    assert answer.headers["Location"] == f"{D}/plans/{made.pk}/"
    assert made.is_default
    assert [step.level for step in made.steps.all() if step.template_id is None] == []


def test_a_slip_is_said_with_its_two_remedies(camille: Client, plan: Plan) -> None:
    """S3-22, S3-24, S3-25: DMC 5, +7 and +10 make the third leave at J+12."""
    text = words(camille.get(f"{D}/plans/{plan.pk}/"))

    assert "Dernier rappel\xa0(3) partira à J+12, pas à J+10." in text
    assert "Second rappel\xa0(2) part à J+7, le DMC est de 5 jours." in text
    assert 'value="trigger:3:12"' in text
    assert "Déclencher à J+12" in text
    assert 'value="delay:3"' in text
    assert "Ramener le DMC à 3\xa0j" in text


def test_days_of_rest_are_told_apart_from_the_delay(camille: Client, plan: Plan) -> None:
    """S3-22: due on Friday 20, the delay moves J+6 to J+8, a Saturday."""
    text = live(camille, plan, **{"niveau-1-days": 3, "niveau-2-days": 6})

    assert "partira à J+8, pas à J+6." in text
    assert "les jours de repos le portent à J+10." in text


def test_a_level_that_the_next_one_overtakes_is_said(camille: Client, plan: Plan) -> None:
    """S3-22: by age, the third level takes the place of the second within its delay."""
    text = live(camille, plan, progression="age", **{"niveau-2-days": 8, "niveau-3-days": 10})

    assert "ne partira jamais" in text
    assert "Le niveau suivant le rattrape" in text
    assert 'value="delay:' in text


def test_the_page_costs_the_same_with_many_levels(
    camille: Client, plan: Plan, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(28):
        camille.get(f"{D}/plans/{plan.pk}/")


# --- while one types --------------------------------------------------------------


def test_typing_redraws_and_saves_nothing(camille: Client, plan: Plan) -> None:
    """S3-25: with the third level at J+12 nothing slips any more."""
    text = live(camille, plan, **{"niveau-2-days": 12})

    assert "partira à" not in text
    assert "<svg" in text
    assert 'id="departure-3"' in text
    assert "<input" not in text.replace('<input type="checkbox"', "")
    assert plan.steps.get(level=3).days == 10


def test_what_changes_while_typing_has_its_place_on_the_page(camille: Client, plan: Plan) -> None:
    page = words(camille.get(f"{D}/plans/{plan.pk}/"))

    sent = re.findall(r'id="([^"]+)" hx-swap-oob', live(camille, plan, **{"niveau-1-days": 8}))
    assert "departure-2" in sent
    assert [one for one in sent if f'id="{one}"' not in page] == []


def test_lowering_the_delay_while_typing_ends_the_slip(camille: Client, plan: Plan) -> None:
    """S3-25."""
    assert "partira à" not in live(camille, plan, min_contact_days=3)
    assert "partira à J+13" in live(camille, plan, min_contact_days=6)


def test_the_bar_counts_the_dates_that_would_move(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F1", TODAY)
    plan = Plan.objects.get()

    moved = live(camille, plan, **{"niveau-1-days": 8})
    still = live(camille, plan, **{"niveau-3-days": 25})

    assert "1\xa0client suit ce plan" in moved
    assert "1\xa0message prévu change" in moved
    assert "Pharmacie Delmas" in moved
    assert "aucun message prévu ne change" in still


def test_a_fault_appears_at_its_field_while_typing(camille: Client, plan: Plan) -> None:
    text = live(camille, plan, **{"niveau-2-days": 6})

    fault = text.split('id="fault-id_niveau-2-days"')[1].split("</div>")[0]
    assert "se déclencherait avant le niveau 2" in fault
    assert "Quelque chose est à corriger" in text
    assert 'id="sketch"' not in text


def test_a_call_waits_for_a_person_and_says_why(camille: Client, plan: Plan) -> None:
    """S4-13: only where possible, with the reason."""
    text = live(camille, plan, **{"niveau-1-channel": "sms"})

    cell = text.split('id="automatic-2"')[1].split("</div>")[0]
    assert "disabled" in cell
    assert "Raccordez un prestataire dans Paramètres" in cell


def test_a_level_without_a_template_is_warned(camille: Client, plan: Plan) -> None:
    """S4-11."""
    text = live(camille, plan, **{"niveau-1-template": ""})

    cell = text.split('id="fault-id_niveau-1-template"')[1].split("</div>")[0]
    assert "Sans modèle, rien ne part" in cell


def test_words_of_lateness_before_the_due_date_are_warned(
    camille: Client, plan: Plan, template: Template
) -> None:
    template.body = "En retard de {{ retard }} jours."
    template.save()

    cell = live(camille, plan).split('id="fault-id_niveau-0-template"')[1].split("</div>")[0]

    assert "part avant l’échéance" in cell
    assert "retard" in cell


# --- the buttons of the editor ----------------------------------------------------


def test_a_remedy_changes_its_field_and_keeps_what_is_typed(camille: Client, plan: Plan) -> None:
    """S3-25."""
    text = words(save(camille, plan, do="trigger:3:12", **{"niveau-0-name": "Prévenance"}))

    assert 'name="niveau-2-days" value="12"' in text
    assert 'value="Prévenance"' in text
    assert "partira à" not in text
    assert plan.steps.get(level=3).days == 10

    assert 'name="min_contact_days" value="3"' in words(save(camille, plan, do="delay:3"))


def test_a_remedy_may_cross_the_due_date(camille: Client, plan: Plan) -> None:
    text = words(save(camille, plan, do="trigger:1:-4"))

    assert 'name="niveau-0-days" value="4"' in text
    assert '<option value="before" selected>' in text


def test_levels_are_added_moved_and_removed(camille: Client, plan: Plan) -> None:
    added = words(save(camille, plan, do="add"))
    assert 'name="niveau-4-days" value="27"' in added
    assert 'name="niveau-4-name" value="Niveau 5"' in added

    moved = words(save(camille, plan, do="up:3"))
    assert 'name="niveau-1-name" value="Dernier rappel"' in moved
    assert "se déclencherait avant" in moved

    removed = words(save(camille, plan, do="remove:1"))
    assert 'name="niveau-TOTAL_FORMS" value="3"' in removed
    assert plan.steps.count() == 4


# --- saving -----------------------------------------------------------------------


def test_saving_keeps_the_levels_and_tells_the_journal(camille: Client, plan: Plan) -> None:
    answer = save(camille, plan, minimum="50.5", **{"niveau-2-days": 12, "niveau-2-name": "Ferme"})

    assert answer.status_code == 302
    plan.refresh_from_db()
    assert plan.minimum_cents == 5050
    assert [(s.level, s.name, s.days) for s in plan.steps.all()] == [
        (1, "Préavis", -3),
        (2, "Second rappel", 7),
        (3, "Ferme", 12),
        (4, "Appel", 20),
    ]
    assert Event.objects.filter(kind="plan_saved").exists()


def test_a_refused_plan_keeps_all_that_was_typed(camille: Client, plan: Plan) -> None:
    text = words(save(camille, plan, name="Autre nom", **{"niveau-2-days": 6}))

    assert 'value="Autre nom"' in text
    assert 'name="niveau-2-days" value="6"' in text
    assert "se déclencherait avant le niveau 2" in text
    assert plan.steps.get(level=3).days == 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"niveau-3-automatic": "on"}, "Seuls l’e-mail, le courrier simple et le SMS partent"),
        ({"niveau-0-repeat_every": "7"}, "seul le dernier niveau peut se répéter"),
        ({"niveau-0-trigger": "previous"}, "Le premier niveau ne peut pas compter"),
        ({"min_contact_days": "31"}, "va de 0 à 30 jours"),
        ({"niveau-1-days": "-4"}, "supérieure ou égale à 0"),
        ({"niveau-1-days": "sept"}, "nombre entier"),
        ({"niveau-1-days": "9" * 40}, "inférieure ou égale à 365"),
        ({"niveau-1-name": "n" * 3000}, "au plus 60"),
        ({"name": "n" * 3000}, "au plus 80"),
        ({"name": ""}, "obligatoire"),
        ({"niveau-1-channel": "pigeon"}, "pigeon"),
        ({"niveau-1-template": "999999"}, "999999"),
        ({"niveau-TOTAL_FORMS": "100000"}, "au plus 30"),
        ({"niveau-TOTAL_FORMS": "31"}, "au plus 30"),
        ({"niveau-TOTAL_FORMS": "beaucoup"}, "ManagementForm"),
        ({"niveau-TOTAL_FORMS": "6"}, "obligatoire"),
    ],
)
def test_what_cannot_be_saved_is_refused_at_its_place(
    camille: Client, plan: Plan, changes: dict[str, str], said: str
) -> None:
    text = words(save(camille, plan, **changes))

    assert said in text
    assert [step.days for step in plan.steps.all()] == [-3, 7, 10, 20]
    assert live(camille, plan, **changes)


@pytest.mark.parametrize(
    "deed", ["remove:99", "up:1", "down:4", "trigger:x:y", "trigger:2", "add:¼", "delay:", "rien"]
)
def test_a_button_that_nobody_made_changes_nothing(camille: Client, plan: Plan, deed: str) -> None:
    text = words(save(camille, plan, do=deed, **{"niveau-TOTAL_FORMS": "4"}))

    assert 'name="niveau-1-name" value="Second rappel"' in text


def test_thirty_levels_a_day_apart_are_still_drawn(camille: Client, plan: Plan) -> None:
    """S3-22: each waits for the one before it."""
    levels = {"niveau-TOTAL_FORMS": "30", "min_contact_days": "30"}
    for n in range(30):
        levels |= {
            f"niveau-{n}-name": f"N{n}",
            f"niveau-{n}-days": str(n),
            f"niveau-{n}-trigger": "due",
            f"niveau-{n}-channel": "call",
            f"niveau-{n}-template": "",
            f"niveau-{n}-automatic": "",
        }
    text = live(camille, plan, **levels)

    assert text.count("partira à J+") == 29
    assert "Ramener le DMC à 1\xa0j" in text


def test_buttons_survive_a_count_of_levels_that_is_none(camille: Client, plan: Plan) -> None:
    for total in ("100000", "-1", "", "²"):
        answer = save(camille, plan, do="add", **{"niveau-TOTAL_FORMS": total})
        assert answer.status_code == 200
        assert "Ajouter un niveau" in words(answer)


def test_names_are_never_markup(camille: Client, plan: Plan) -> None:
    name = "<script>alert(1)</script>"
    assert save(camille, plan, name=name, **{"niveau-1-name": name}).status_code == 302

    for path in (f"/plans/{plan.pk}/", "/plans/"):
        assert b"<script>alert" not in camille.get(D + path).content


def test_two_plans_cannot_bear_one_name(
    camille: Client, plan: Plan, organisation: Organisation
) -> None:
    Plan.objects.create(organisation=organisation, name="Autre")

    assert "porte déjà ce nom" in words(save(camille, plan, name="Autre"))


def test_a_new_plan_is_drawn_from_its_first_level_on(
    camille: Client, organisation: Organisation
) -> None:
    empty = words(camille.get(f"{D}/plans/nouveau/"))
    assert "Ajoutez un premier niveau" in empty
    assert 'value="Nouveau plan"' in empty

    assert "Niveau 1\xa0(1)" in words(save(camille, None, do="add"))


def test_a_copy_begins_with_the_same_levels(camille: Client, plan: Plan) -> None:
    text = words(camille.get(f"{D}/plans/nouveau/?plan={plan.pk}"))

    assert "Standard (copie)" in text
    assert 'name="niveau-3-name" value="Appel"' in text
    assert words(camille.get(f"{D}/plans/nouveau/?plan=²"))


def test_a_plan_that_is_followed_cannot_be_deleted(camille: Client, customer: Customer) -> None:
    plan = Plan.objects.get()

    answer = camille.post(f"{D}/plans/{plan.pk}/supprimer/", follow=True)

    assert "donnez-leur-en un autre" in unescape(answer.content.decode())
    assert Plan.objects.exists()


def test_a_plan_that_nobody_follows_is_deleted(camille: Client, plan: Plan) -> None:
    camille.post(f"{D}/plans/{plan.pk}/supprimer/")

    assert not Plan.objects.exists()


# --- the others -------------------------------------------------------------------


def test_a_reader_sees_all_and_changes_nothing(client: Client, colleague: User, plan: Plan) -> None:
    client.force_login(colleague)
    text = words(client.get(f"{D}/plans/{plan.pk}/"))

    assert "Seul un administrateur peut le changer." in text
    assert "partira à J+12" in text
    assert "Enregistrer le plan" not in text
    assert f'hx-post="{D}/plans/esquisse/' not in text
    assert save(client, plan, name="Volé").status_code == 403
    assert save(client, None, name="Volé").status_code == 403
    assert client.post(f"{D}/plans/esquisse/", typed(plan)).status_code == 403
    assert client.post(f"{D}/plans/{plan.pk}/supprimer/").status_code == 403
    assert Plan.objects.get().name == "Standard"


def test_a_stranger_finds_nothing(client: Client, stranger: User, plan: Plan) -> None:
    client.force_login(stranger)

    assert client.get(f"{D}/plans/{plan.pk}/").status_code == 404
    assert save(client, plan).status_code == 404
    assert client.get(f"/d/ailleurs/plans/{plan.pk}/").status_code == 404
    assert client.get(f"/d/ailleurs/plans/nouveau/?plan={plan.pk}").status_code == 404
    assert client.post("/d/ailleurs/plans/esquisse/", typed(plan)).status_code == 404


def test_a_template_of_another_dossier_cannot_be_chosen(
    client: Client, stranger: User, template: Template
) -> None:
    client.force_login(stranger)
    answer = client.post(
        "/d/ailleurs/plans/nouveau/",
        typed(None)
        | {
            "niveau-TOTAL_FORMS": "1",
            "niveau-0-name": "Un",
            "niveau-0-days": "3",
            "niveau-0-trigger": "due",
            "niveau-0-channel": "email",
            "niveau-0-template": str(template.pk),
        },
    )

    assert answer.status_code == 200
    assert not Plan.objects.filter(name="Nouveau").exists()

"""Modèles: the list and the editor, used by an administrator, a reader and a stranger."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, Template
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_customer, make_invoice

D = "/d/ateliers-kerdoncuff"


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def camille(client: Client, owner: User, organisation: Organisation) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def late(customer: Customer) -> Customer:
    make_invoice(customer, "F-17", TODAY - timedelta(days=12), cents=1234_56)
    return customer


def typed(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Ferme",
        "channel": "email",
        "language": "fr",
        "subject": "Rappel, {{ montant }}",
        "body": "Bonjour {{ client.nom }},\n\n{{ tableau_factures }}",
    } | changes


def words(answer: Any) -> str:
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def preview(client: Client, /, **changes: Any) -> str:
    return words(
        client.post(f"{D}/modeles/apercu/", typed(**changes), headers={"HX-Request": "true"})
    )


def test_the_list_groups_by_method_and_counts_levels(
    camille: Client,
    plan: Plan,
    template: Template,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """S1-04, S4-03."""
    for n in range(20):
        Template.objects.create(
            organisation=plan.organisation, name=f"SMS {n}", channel="sms", body="x"
        )

    with django_assert_max_num_queries(24):
        text = words(camille.get(f"{D}/modeles/"))

    assert "Rappel" in text
    assert "20\xa0modèles" in text
    assert '<td class="num">3</td>' in text


def test_without_a_template_the_starters_are_shown_and_made(camille: Client) -> None:
    """S4-03."""
    text = words(camille.get(f"{D}/modeles/"))
    assert "Commencer avec le plan Standard" in text
    assert "Mise en demeure" in text

    camille.post(f"{D}/modeles/commencer/")
    again = camille.post(f"{D}/modeles/commencer/", follow=True)

    assert Plan.objects.count() == 1
    assert "existe déjà" in unescape(again.content.decode())


def test_the_text_is_tried_on_a_real_client(
    camille: Client, late: Customer, template: Template
) -> None:
    """S1-01…04: what is shown is what would be sent."""
    text = words(camille.get(f"{D}/modeles/{template.pk}/"))
    assert "Pharmacie Delmas" in text
    assert "F-17" in text

    live = preview(camille, body="Cher {{ client.nom }}, {{ retard }} jours.")
    assert "Cher Pharmacie Delmas, 12 jours." in live
    assert "Rappel, 1 234,56 €" in " ".join(live.split())
    assert "compta@pharmacie.example" in live


def test_another_client_may_be_chosen(
    camille: Client, late: Customer, organisation: Organisation
) -> None:
    other = make_customer(organisation, None, "Zinc et Fils", code="ZINC")
    make_invoice(other, "F-90", TODAY - timedelta(days=3))

    assert "F-90" in preview(camille, client=other.pk)
    assert "F-17" in preview(camille, client="²")
    answer = camille.post(f"{D}/modeles/apercu/", typed(client="9" * 30))
    assert answer.status_code == 404


def test_the_preview_costs_the_same_with_many_invoices(
    camille: Client, late: Customer, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(20):
        make_invoice(late, f"G-{n}", TODAY - timedelta(days=n + 1))

    with django_assert_max_num_queries(31):
        preview(camille)


def test_without_a_client_the_preview_says_what_to_do(camille: Client) -> None:
    assert "Importez des factures" in preview(camille)


def test_an_unknown_variable_is_refused_with_a_suggestion(
    camille: Client, template: Template
) -> None:
    """Refused where it is typed, and nothing typed is lost."""
    body = "Bonjour {{ client.nomm }}"
    text = words(camille.post(f"{D}/modeles/{template.pk}/", typed(body=body)))

    assert "« client.nomm » n’existe pas. Vouliez-vous dire « client.nom » ?" in text.replace(
        "\xa0", " "
    ).replace("\u202f", " ")
    assert body in text
    template.refresh_from_db()
    assert template.name == "Rappel"
    assert "n’existe pas" in preview(camille, body=body)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "n" * 3000}, "au plus 80"),
        ({"name": ""}, "obligatoire"),
        ({"subject": ""}, "obligatoire"),
        ({"subject": "s" * 3000}, "au plus 200"),
        ({"subject": "{{ tableau_factures }}"}, "n’existe pas"),
        ({"body": "b" * 20_001}, "au plus 20000"),
        ({"body": "{% load x %}"}, "est resté seul"),
        ({"body": "{{" + " " * 15_000}, "est resté seul"),
        ({"language": "xx"}, "xx"),
        ({"channel": "pigeon"}, "pigeon"),
    ],
)
def test_what_cannot_be_saved_is_refused_at_its_field(
    camille: Client, late: Customer, changes: dict[str, Any], said: str
) -> None:
    text = words(camille.post(f"{D}/modeles/nouveau/", typed(**changes)))

    assert said in text
    assert not Template.objects.filter(name="Ferme").exists()
    assert preview(camille, **changes)


def test_a_message_by_phone_needs_no_subject(camille: Client, template: Template) -> None:
    camille.post(f"{D}/modeles/nouveau/", typed(channel="call", subject="", body="Appeler."))

    assert Template.objects.get(name="Ferme").channel == "call"


def test_two_templates_of_a_method_cannot_bear_one_name(
    camille: Client, template: Template
) -> None:
    assert "porte déjà ce nom" in words(camille.post(f"{D}/modeles/nouveau/", typed(name="Rappel")))


def test_the_method_of_a_template_in_use_stays(
    camille: Client, plan: Plan, template: Template
) -> None:
    text = words(camille.post(f"{D}/modeles/{template.pk}/", typed(channel="sms")))

    assert "sa méthode d’envoi ne peut plus changer" in text
    template.refresh_from_db()
    assert template.channel == "email"


def test_words_are_never_markup(camille: Client, late: Customer) -> None:
    bad = "<script>alert(1)</script>"
    camille.post(f"{D}/modeles/nouveau/", typed(name=bad, subject=bad, body=bad))
    made = Template.objects.get(name=bad)

    for path in ("/modeles/", f"/modeles/{made.pk}/"):
        assert b"<script>alert" not in camille.get(D + path).content
    answer = camille.post(f"{D}/modeles/apercu/", typed(subject=bad, body=bad))
    assert b"<script>alert" not in answer.content


def test_a_template_in_use_is_kept_and_another_deleted(
    camille: Client, plan: Plan, template: Template
) -> None:
    kept = camille.post(f"{D}/modeles/{template.pk}/supprimer/", follow=True)
    assert "Choisissez-y un autre modèle" in unescape(kept.content.decode())

    plan.steps.update(template=None)
    camille.post(f"{D}/modeles/{template.pk}/supprimer/")
    assert not Template.objects.exists()


def test_a_copy_begins_with_the_same_words(camille: Client, template: Template) -> None:
    text = words(camille.get(f"{D}/modeles/nouveau/?modele={template.pk}"))

    assert "Rappel (copie)" in text
    assert "{{ tableau_factures }}" in text
    assert words(camille.get(f"{D}/modeles/nouveau/?modele=²"))


def test_a_reader_sees_all_and_changes_nothing(
    client: Client, colleague: User, late: Customer, template: Template
) -> None:
    client.force_login(colleague)
    text = words(client.get(f"{D}/modeles/{template.pk}/"))

    assert "Seul un administrateur peut le changer." in text
    assert "F-17" in text
    assert "Enregistrer le modèle" not in text
    assert client.post(f"{D}/modeles/{template.pk}/", typed()).status_code == 403
    assert client.post(f"{D}/modeles/nouveau/", typed()).status_code == 403
    assert client.post(f"{D}/modeles/commencer/").status_code == 403
    assert client.post(f"{D}/modeles/{template.pk}/supprimer/").status_code == 403
    assert Template.objects.get() == template


def test_a_stranger_finds_nothing(
    client: Client, stranger: User, late: Customer, template: Template
) -> None:
    client.force_login(stranger)

    assert client.get(f"{D}/modeles/{template.pk}/").status_code == 404
    assert client.get(f"/d/ailleurs/modeles/{template.pk}/").status_code == 404
    assert client.get(f"/d/ailleurs/modeles/nouveau/?modele={template.pk}").status_code == 404
    answer = client.post("/d/ailleurs/modeles/apercu/", typed(client=late.pk))
    assert answer.status_code == 404


def test_templates_are_found_under_the_settings_by_method(
    camille: Client, template: Template, organisation: Organisation, plan: Plan
) -> None:
    """S1-01, S1-02, S1-03: Paramètres > Modèle d’e-mail/SMS leads to Modèles Mail and Lettre."""
    settings = camille.get(f"{D}/parametres/").content.decode()
    assert re.search(r'<a href="[^"]*/modeles/"[^>]*>Modèle d’e-mail/SMS', settings)
    page = words(camille.get(f"{D}/modeles/"))
    assert "Configuration, Modèle d’e-mail/SMS, Modèle de mail, Relance" in page
    assert "Modèles Mail" in page
    assert "Modèles Lettre" not in page
    Template.objects.create(
        organisation=organisation, name="Rappel", channel="letter", subject="x", body="y"
    )
    assert "Modèles Lettre" in words(camille.get(f"{D}/modeles/"))


def test_a_level_without_words_for_a_method_is_named(
    camille: Client, template: Template, organisation: Organisation, plan: Plan
) -> None:
    """S1-04, D-09: one template per level and method; what is missing is one click away."""
    page = camille.get(f"{D}/modeles/").content.decode()
    assert "Sans Modèle Lettre :" in page.replace("\xa0", " ")
    assert "Second rappel (2)" in page.replace("\xa0", " ")
    assert "?methode=letter" in page
    form = camille.get(f"{D}/modeles/nouveau/?methode=letter").content.decode()
    assert re.search(r'value="letter"[^>]*(selected|checked)', form)
    for name in ("Rappel", "Appel"):
        Template.objects.create(
            organisation=organisation, name=name, channel="letter", subject="x", body="y"
        )
    assert "Sans Modèle Lettre" not in camille.get(f"{D}/modeles/").content.decode()


def test_a_template_that_levels_take_by_its_name_is_not_called_unused(
    camille: Client, template: Template, organisation: Organisation, plan: Plan
) -> None:
    """S1-04, D-09: a letter named like the e-mail of a level is what that level prints."""
    letter = Template.objects.create(
        organisation=organisation, name="Rappel", channel="letter", subject="x", body="y"
    )
    assert "inutilisé" not in words(camille.get(f"{D}/modeles/"))
    page = words(camille.get(f"{D}/modeles/{letter.pk}/"))
    assert "par son nom, quand cette méthode est choisie" in page
    Template.objects.create(
        organisation=organisation, name="Vœux", channel="letter", subject="x", body="y"
    )
    assert "inutilisé" in words(camille.get(f"{D}/modeles/"))


def test_the_letter_of_a_mise_en_demeure_is_told_which_parts_it_lacks(
    camille: Client, late: Customer
) -> None:
    """A10: the checklist is beside the words while they are typed; other letters have none."""
    body = "Nous vous mettons en demeure de payer.\n\n{{ tableau_factures }}\n\n{{ signature }}"
    letter = {"channel": "registered_letter", "subject": "Mise en demeure", "body": body}

    text = preview(camille, **letter)

    assert "Ce que contient une mise en demeure" in text
    assert text.count("Il manque") == 3
    for part in ("une date limite", "comment payer", "ce qui suivra à défaut de règlement"):
        assert f"Il manque {part}" in text
    assert "mise en demeure</h3>" not in preview(camille, **letter | {"channel": "email"})
    ordinary = letter | {"subject": "Rappel", "body": "Bonjour,\n\n{{ tableau_factures }}"}
    assert "mise en demeure</h3>" not in preview(camille, **ordinary)

"""Relancer par mail from À relancer: one, a batch of one level, and to whom (S4-06, S4-12…26)."""

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, ToChase
from relance.history.models import Event
from relance.ledger.models import Contact
from relance.outbox.models import Message
from tests.web.chantiers import (
    LIST,
    debtor,
    late,
    look,
    mark,
    page,
    plan_by_age,
    section,
    send,
    site_of,
    window,
    words,
)


@pytest.fixture
def chantiers(organisation: Organisation) -> Plan:
    return plan_by_age(organisation)


# --- one by mail ------------------------------------------------------------------


def test_relancer_par_mail_opens_the_template_of_the_level_and_sends(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-12, S4-16, S4-17: the window holds the level's words; « Envoyer par mail » queues them."""
    client = debtor(organisation, chantiers)
    invoice = late(client, "F-1", 8, site_of(client, "Quai Ouest", "chef@roussel.example"))
    look(organisation)
    assert "Relancer par mail" in page(camille)
    text = window(camille, invoice)
    assert 'value="Premier rappel : F-1"' in text
    assert "chef@roussel.example" in text
    assert "Envoyer par mail" in text
    answer = send(camille, invoice, **{f"a-s{invoice.site_id}": "chef@roussel.example"})
    message = Message.objects.get()
    assert answer["Location"] == f"{LIST}?parti={message.pk}"
    assert (message.level, message.recipients) == (2, ["chef@roussel.example"])
    assert message.subject == "Votre facture"
    assert "F-1<" not in page(camille), "it leaves the list (D-11)"
    text = page(camille, f"?parti={message.pk}")
    assert "départ dans" in text


def test_without_touching_a_word_the_template_of_the_level_leaves(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-12: several go with the template of their level."""
    client = debtor(organisation, chantiers)
    one, two = (
        late(client, f"F-{n}", 16 + n, site_of(client, f"S{n}", f"c{n}@r.example")) for n in (1, 2)
    )
    look(organisation)
    send(camille, one, two)
    assert {m.subject for m in Message.objects.all()} == {
        "Second rappel : F-1",
        "Second rappel : F-2",
    }


def test_the_sender_is_chosen_in_the_window(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-06: another address for this message; one that is not offered is refused."""
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    key = f"a-c{invoice.customer_id}"
    answer = send(camille, invoice, sender="mailbox-999", **{key: "compta@roussel.example"})
    assert answer.status_code == 422
    assert "n’existe plus" in words(answer)
    assert not Message.objects.exists()
    send(camille, invoice, sender="system", **{key: "compta@roussel.example"})
    assert organisation.email_from not in Message.objects.get().sender


def test_what_is_read_again_is_what_would_leave(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    answer = camille.post(
        f"{LIST}relancer/",
        {
            "ligne": invoice.pk,
            "faire": "lire",
            "sender": "organisation",
            "subject": "Mon objet",
            "body": "<script>alert(1)</script> Bonjour {{ client.nom }}",
            f"a-c{invoice.customer_id}": "compta@roussel.example",
        },
        headers={"HX-Request": "true"},
    )
    text = answer.content.decode()
    assert "Mon objet" in text
    assert "Bonjour Roussel" in text
    assert "<script>" not in text
    assert not Message.objects.exists()


def test_a_message_is_called_back_during_its_ten_seconds(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    send(camille, invoice, **{f"a-c{invoice.customer_id}": "compta@roussel.example"})
    message = Message.objects.get()
    camille.post(f"{LIST}relancer/{message.pk}/annuler/")
    message.refresh_from_db()
    assert message.status == "cancelled"
    assert "F-1<" in page(camille)


def test_the_second_of_two_people_sees_who_was_first(
    camille: Client, organisation: Organisation, chantiers: Plan, owner: User
) -> None:
    invoice = late(debtor(organisation, chantiers), "F-1", 8)
    look(organisation)
    to = {f"a-c{invoice.customer_id}": "compta@roussel.example"}
    line = ToChase.objects.get()
    seen = {"niveau": f"{line.plan_id}-{line.level}"}
    send(camille, invoice, **to)
    answer = camille.post(
        f"{LIST}relancer/", {"ligne": invoice.pk, "faire": "envoyer", **seen, **to}
    )
    assert "Camille Le Goff" in words(answer)
    assert Message.objects.count() == 1
    text = words(mark(camille, invoice, level=seen["niveau"]))
    assert "Camille Le Goff" in text
    assert not Event.objects.filter(kind="marked_as_chased").exists()


# --- several ----------------------------------------------------------------------


def test_a_batch_goes_to_the_recipients_of_each_encaissement(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-18, S4-19, S4-31: two chantiers of one debtor, two different recipients."""
    client = debtor(organisation, chantiers)
    one = late(client, "F-1", 8, site_of(client, "Quai Ouest", "ouest@roussel.example"))
    two = late(client, "F-2", 9, site_of(client, "Halle Nord", "nord@roussel.example"))
    look(organisation)
    text = window(camille, one, two)
    assert "2 messages" in text
    assert "→ ouest@roussel.example" in text
    assert "→ nord@roussel.example" in text
    answer = send(camille, one, two)
    assert answer.status_code == 302
    told = {m.lines.get().invoice_id: m.recipients for m in Message.objects.all()}
    assert told == {one.pk: ["ouest@roussel.example"], two.pk: ["nord@roussel.example"]}
    assert len({m.batch_id for m in Message.objects.all()}) == 1


def test_two_levels_are_not_sent_together(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-18: refused with the reason, and nothing leaves."""
    client = debtor(organisation, chantiers)
    one, two = late(client, "F-1", 8), late(client, "F-2", 20)
    look(organisation)
    text = window(camille, one, two)
    assert "un seul niveau" in text
    assert "Premier rappel (2)" in text
    assert "Second rappel (3)" in text
    assert "Envoyer par mail" not in text
    assert send(camille, one, two).status_code == 422
    assert not Message.objects.exists()


def test_nothing_ticked_says_so(camille: Client, organisation: Organisation) -> None:
    answer = camille.get(f"{LIST}relancer/")
    assert answer.status_code == 422
    assert "Cochez au moins un encaissement" in words(answer)


# --- recipients -------------------------------------------------------------------


def test_a_site_without_favourite_asks_for_addresses_and_keeps_them(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-20, S4-21, S4-22: asked once, saved as favourites, used afterwards."""
    client = debtor(organisation, chantiers, email="")
    site = site_of(client, "Quai Ouest")
    first, second = late(client, "F-1", 8, site), late(client, "F-2", 9, site)
    look(organisation)
    text = window(camille, first)
    assert "n’a pas de destinataire favori" in text
    assert "Enregistrer comme favoris du chantier" in text
    refused = send(camille, first)
    assert refused.status_code == 422
    assert "Indiquez au moins une adresse." in words(refused)
    refused = send(camille, first, **{f"autres-s{site.pk}": "pas une adresse"})
    assert "n’est pas valable" in words(refused)
    assert not Message.objects.exists()
    send(
        camille,
        first,
        **{
            f"autres-s{site.pk}": "chef@roussel.example, ana@roussel.example",
            f"favoris-s{site.pk}": "1",
        },
    )
    assert Message.objects.get().recipients == ["chef@roussel.example", "ana@roussel.example"]
    stars = set(site.favourites.values_list("email", flat=True))
    assert stars == {"chef@roussel.example", "ana@roussel.example"}
    text = window(camille, second)
    assert "n’a pas de destinataire favori" not in text
    assert 'value="chef@roussel.example" checked' in text


def test_addresses_of_one_message_are_not_kept_unless_asked(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-21: « enregistrer comme favoris » is a choice."""
    client = debtor(organisation, chantiers, email="")
    site = site_of(client, "Quai Ouest")
    invoice = late(client, "F-1", 8, site)
    look(organisation)
    send(camille, invoice, **{f"autres-s{site.pk}": "chef@roussel.example"})
    assert Message.objects.get().recipients == ["chef@roussel.example"]
    assert not site.favourites.exists()
    assert not Contact.objects.exists()


def test_a_batch_asks_only_for_the_sites_without_favourite(
    camille: Client, organisation: Organisation, chantiers: Plan
) -> None:
    """S4-20: one question for each chantier, not for each encaissement."""
    client = debtor(organisation, chantiers, email="")
    known = site_of(client, "Halle Nord", "nord@roussel.example")
    unknown = site_of(client, "Quai Ouest")
    lines = [
        late(client, "F-1", 8, known),
        late(client, "F-2", 9, unknown),
        late(client, "F-3", 10, unknown),
    ]
    look(organisation)
    text = window(camille, *lines)
    assert text.count('name="autres-') == 1
    send(camille, *lines, **{f"autres-s{unknown.pk}": "ouest@roussel.example"})
    told = {m.lines.get().invoice.number: m.recipients for m in Message.objects.all()}
    assert told == {
        "F-1": ["nord@roussel.example"],
        "F-2": ["ouest@roussel.example"],
        "F-3": ["ouest@roussel.example"],
    }


def test_an_automatic_level_without_recipient_is_an_error_with_its_repair(
    camille: Client, organisation: Organisation
) -> None:
    """S4-25, S4-26, D-12: nothing sent, the error on the line, its repair, and by hand it goes."""
    plan = plan_by_age(organisation, automatic=(1, 2, 3, 4))
    client = debtor(organisation, plan, email="")
    site = site_of(client, "Quai Ouest")
    invoice = late(client, "F-1", 8, site)
    look(organisation)
    assert not Message.objects.exists()
    text = section(page(camille), "Premier rappel (2)")
    assert "Aucun destinataire par défaut" in text
    assert f"?onglet=chantiers&chantier={site.pk}" in text
    assert "1 erreur" in text
    send(camille, invoice, **{f"autres-s{site.pk}": "chef@roussel.example"})
    message = Message.objects.get()
    assert (message.level, message.automatic) == (2, False)

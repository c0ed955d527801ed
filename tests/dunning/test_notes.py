"""Notes are written once and never changed; they tell the colleagues whom they name."""

import pytest

from relance.accounts.models import User
from relance.dunning.models import Mention
from relance.dunning.services import Refused
from relance.dunning.services.notes import (
    LONGEST,
    add_note,
    members_of,
    named_in,
    withdraw_note,
    withdrawn,
)
from relance.history import services as history
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_invoice


def note(customer: Customer, actor: User, text: str) -> int:
    return add_note(customer, text=text, actor=actor, on=TODAY, now=NOW)


def test_a_note_is_kept_whole_and_chained(customer: Customer, owner: User) -> None:
    invoice = make_invoice(customer, "F-1", TODAY)
    text = "Appelé à 9 h.\nRappelle lundi <b>pour sûr</b>."
    seq = add_note(customer, text=text, actor=owner, on=TODAY, now=NOW, invoice=invoice)
    event = Event.objects.get(seq=seq)
    assert (event.kind, event.data["text"]) == ("note", text)
    assert (event.invoice_id, event.actor_name) == (invoice.pk, "Camille Le Goff")
    assert history.verify(customer.organisation) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@Yann tu peux l’appeler ?", ["Yann Riou"]),
        ("Vois avec @yann riou, merci", ["Yann Riou"]),
        ("(@YANN)", ["Yann Riou"]),
        ("compta@yann.example n’est pas un nom", []),
        ("@Yannick n’est pas Yann", []),
        ("@personne", []),
        ("@Camille, @Yann et encore @Yann", ["Camille Le Goff", "Yann Riou"]),
        ("@", []),
    ],
)
def test_who_a_note_names(owner: User, colleague: User, text: str, named: list[str]) -> None:
    assert sorted(str(one) for one in named_in(text, [owner, colleague])) == named


def test_accents_and_capitals_do_not_hide_a_name(owner: User) -> None:
    helene = User(pk=9, full_name="Hélène Le Bœuf", email="h@x.example")
    assert named_in("@helene le boeuf", [helene]) == [helene]


def test_the_one_named_finds_it_until_he_has_read_it(
    customer: Customer, owner: User, colleague: User, stranger: User
) -> None:
    """Naming oneself, twice the same, or somebody of another organisation tells nobody more."""
    note(customer, owner, "@Yann et @Yann, @Camille, @Ève : il promet pour lundi.")
    mention = Mention.objects.get()
    assert (mention.user, mention.author) == (colleague, "Camille Le Goff")
    assert mention.read_at is None
    assert stranger not in members_of(customer.organisation)


@pytest.mark.parametrize(
    ("text", "code"), [("  \n ", "EMPTY"), ("\x00\x08", "EMPTY"), ("x" * (LONGEST + 1), "TOO_LONG")]
)
def test_nothing_and_too_much_are_refused(
    customer: Customer, owner: User, text: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        note(customer, owner, text)
    assert refused.value.code == code
    assert not Event.objects.exists()


def test_five_thousand_characters_are_kept(customer: Customer, owner: User) -> None:
    seq = note(customer, owner, "é" * LONGEST)
    assert len(Event.objects.get(seq=seq).data["text"]) == LONGEST


def test_withdrawing_is_a_new_line_and_changes_nothing_written(
    customer: Customer, owner: User, colleague: User
) -> None:
    """Append-only: the note stays in the journal; its unread mentions fall silent."""
    seq = note(customer, owner, "@Yann à voir")
    organisation = customer.organisation
    when = {"on": TODAY, "now": NOW}
    with pytest.raises(Refused) as refused:
        withdraw_note(organisation, seq=seq, actor=colleague, is_admin=False, **when)
    assert refused.value.code == "NOT_AUTHOR"
    withdraw_note(organisation, seq=seq, actor=owner, is_admin=False, **when)
    assert withdrawn(organisation, [customer.pk]) == {seq}
    assert Event.objects.get(seq=seq).data["text"] == "@Yann à voir"
    assert Mention.objects.get().read_at == NOW
    assert history.verify(organisation) is None
    with pytest.raises(Refused):
        withdraw_note(organisation, seq=seq, actor=owner, is_admin=True, **when)

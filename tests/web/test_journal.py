"""The page of the journal: words for all that happens, filters, and the state of the chain."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from relance.accounts.models import BankRole, DunningRole, Membership, Organisation, User
from relance.dunning.models import Plan
from relance.history import checking
from relance.history.models import Event
from relance.history.services import Fact, append
from relance.ledger.models import Customer
from relance.web.queries import journal
from tests.conftest import NOW, TODAY, at, make_customer

pytestmark = pytest.mark.django_db
SRC = Path(__file__).resolve().parents[2] / "src" / "relance"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def fact(kind: str, **fields: object) -> Fact:
    return Fact(kind, NOW, TODAY)._replace(**fields)


def page(client: Client, organisation: Organisation, query: str = "") -> str:
    address = reverse("journal_list", args=[organisation.slug])
    return client.get(f"{address}{query}").content.decode()


# --- words ------------------------------------------------------------------------


WRITTEN_ELSEWHERE = {
    # batches.tell(kind, …) is called with literals; the outbox tells the end of a message as
    # f"message_{status}": each status that can end a message
    "message_sent",
    "message_failed",
    "message_bounced",
    "message_uncertain",
    "message_cancelled",
    "message_expired",
}


def literals(node: ast.expr) -> set[str] | None:
    """The texts that an expression can be, None when that is not to be read in it."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else None
    if isinstance(node, ast.IfExp):
        one, other = literals(node.body), literals(node.orelse)
        return None if one is None or other is None else one | other
    if isinstance(node, ast.Dict):
        found = [literals(value) for value in node.values]
        return None if None in found else set().union(*[one for one in found if one])
    if isinstance(node, ast.Subscript):
        return literals(node.value)
    return None


def names_given(place: ast.AST) -> dict[str, list[ast.expr]]:
    """What each name of a function or module is given, tuples taken apart."""
    given: dict[str, list[ast.expr]] = {}
    for node in ast.walk(place):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            given.setdefault(node.target.id, []).append(node.value)
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                given.setdefault(target.id, []).append(node.value)
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for name, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(name, ast.Name):
                        given.setdefault(name.id, []).append(value)
    return given


def known(path: Path, name: str) -> str:
    """What a function is called in all modules; a private one is its module's own."""
    return f"{path} {name}" if name.startswith("_") else name


def kinds_written() -> set[str]:
    """Every kind that some function of the program writes to the journal.

    A function that hands its parameter `kind` on to `Fact` is a writer itself.
    """
    trees = [(path, ast.parse(path.read_text("utf-8"))) for path in SRC.rglob("*.py")]
    functions = [
        (path, one, names_given(tree))
        for path, tree in trees
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef)
    ]
    writers: dict[str, int | None] = {"Fact": 0}
    kinds: set[str] = set()
    for _round in range(4):
        for path, function, of_module in functions:
            given = names_given(function)
            positions = [one.arg for one in function.args.posonlyargs + function.args.args]
            for call in ast.walk(function):
                if not isinstance(call, ast.Call):
                    continue
                name = getattr(call.func, "id", getattr(call.func, "attr", ""))
                if known(path, name) not in writers:
                    continue
                place = writers[known(path, name)]
                value = next((one.value for one in call.keywords if one.arg == "kind"), None)
                if value is None and place is not None and len(call.args) > place:
                    value = call.args[place]
                if value is None:
                    continue
                found = [value]
                if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
                    found = of_module.get(value.value.id, [])
                if isinstance(value, ast.Name):
                    found = given.get(value.id, [])
                    if value.id == "kind" and not found:
                        own = positions.index("kind") if "kind" in positions else None
                        writers.setdefault(known(path, function.name), own)
                for one in found:
                    kinds |= literals(one) or set()
    return kinds


def test_every_kind_written_anywhere_has_french_words() -> None:
    """A journal that says "receipts_not_sent" to its reader says nothing."""
    kinds = kinds_written() | WRITTEN_ELSEWHERE
    assert {"message_sent", "receipts_sent", "member_roles", "link_closed", "bank_rule"} <= kinds
    without = {kind for kind in kinds if journal.teller_of(kind) is None} - {"note"}
    assert without == set()


def test_words_survive_data_of_any_shape(organisation: Organisation) -> None:
    """An event of an older version, or of a stranger's hand, breaks no page."""
    strange = [{}, {"count": "x", "to": 3, "days": 4, "roles": [1], "kind": None}, {"until": [1]}]
    for kind in sorted(kinds_written() | WRITTEN_ELSEWHERE):
        tell = journal.teller_of(kind)
        for data in strange:
            told = tell(data) if tell else ("", kind, "")
            assert len(told) == 3
            assert str(told[1])


# --- the page ---------------------------------------------------------------------


def test_the_journal_tells_when_who_what_and_whom(
    camille: Client, organisation: Organisation, owner: User, customer: Customer
) -> None:
    append(
        organisation,
        [
            fact("hold_set", customer_id=customer.pk, actor=owner, data={"until": "2026-12-01"}),
            fact("sending_switched", data={"sending_on": [True, False]}),
            fact("something_of_another_age"),
        ],
    )
    words = page(camille, organisation)
    assert "Mise en attente" in words
    assert "Pharmacie Delmas" in words
    assert "Envois automatiques suspendus" in words
    assert "Something of another age" in words
    detail = camille.get(reverse("journal_event", args=[organisation.slug, 1])).content.decode()
    assert "Camille Le Goff" in detail
    assert "Son empreinte est la bonne" in detail
    assert Event.objects.get(seq=1).hash in detail


def test_filters_by_kind_person_customer_and_day(
    camille: Client, organisation: Organisation, owner: User, plan: Plan, customer: Customer
) -> None:
    other = make_customer(organisation, plan, "Boulangerie Riou")
    long_ago = TODAY.replace(day=1)
    append(
        organisation,
        [
            fact("note", customer_id=customer.pk, actor=owner, data={"text": "premier"}),
            fact("note", customer_id=other.pk, data={"text": "deuxième"}),
            fact("hold_set", customer_id=other.pk, at=at(long_ago), on=long_ago),
        ],
    )

    def told(query: str) -> list[bool]:
        words = page(camille, organisation, query)
        return [one in words for one in ("premier", "deuxième", "Mise en attente")]

    assert told("") == [True, True, True]
    assert told("?quoi=notes") == [True, True, False]
    assert told(f"?qui={owner.pk}") == [True, False, False]
    assert told("?qui=0") == [False, True, True]
    assert told("?q=riou") == [False, True, True]
    assert told(f"?client={customer.pk}") == [True, False, False]
    assert told("?du=2026-11-20") == [True, True, False]
    assert told("?au=2026-11-05") == [False, False, True]
    assert told("?quoi=rien&qui=abc&client=x&avant=z&du=hier") == [True, True, True]


def test_a_long_journal_is_paged_by_its_number(
    camille: Client, organisation: Organisation, django_assert_max_num_queries: object
) -> None:
    append(organisation, [fact("note", data={"text": f"numéro {n}."}) for n in range(1, 121)])
    page(camille, organisation)
    with django_assert_max_num_queries(41):  # type: ignore[operator]
        words = page(camille, organisation)
    assert "numéro 120." in words
    assert "numéro 70." not in words
    assert "avant=71" in words
    assert "numéro 70." in page(camille, organisation, "?avant=71")


def test_the_chain_is_verified_by_a_button(camille: Client, organisation: Organisation) -> None:
    """A9: "Chaîne intacte, vérifiée le …", and which event when it is not."""
    append(organisation, [fact("note", data={"text": "a"}) for _n in range(5)])
    assert "pas encore été vérifiée" in page(camille, organisation)
    address = reverse("journal_verify", args=[organisation.slug])
    assert "Chaîne intacte" in camille.post(address, follow=True).content.decode()
    assert checking.state(organisation).name == "whole"
    Event.objects.filter(seq=3).update(actor_name="Eve")
    words = camille.post(address, follow=True).content.decode()
    assert "La chaîne est rompue à l’événement n°\u00a03" in words
    detail = camille.get(reverse("journal_event", args=[organisation.slug, 3]))
    assert "n’est pas la bonne" in detail.content.decode()


def test_a_verification_that_takes_long_is_shown_and_asked_again(
    camille: Client, organisation: Organisation
) -> None:
    append(organisation, [fact("note") for _n in range(5)])
    checking.begin(organisation, now=NOW, seconds=-1)
    words = page(camille, organisation)
    assert "Vérification en cours" in words
    assert "every 3s" in words
    checking.work(NOW)
    state = camille.get(reverse("journal_state", args=[organisation.slug])).content.decode()
    assert "Chaîne intacte" in state
    assert "every 3s" not in state


def test_an_administrator_exports_it_and_others_do_not(
    camille: Client, client: Client, organisation: Organisation, colleague: User, stranger: User
) -> None:
    append(organisation, [fact("note", data={"text": "é"}) for _n in range(3)])
    address = reverse("journal_export", args=[organisation.slug])
    answer = camille.get(address)
    rows = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    client.force_login(colleague)
    assert client.get(address).status_code == 403
    assert "Seul un administrateur" in page(client, organisation)
    client.force_login(stranger)
    assert client.get(address).status_code == 404
    for name in ("journal_list", "journal_state"):
        assert client.get(reverse(name, args=[organisation.slug])).status_code == 404


def test_the_bank_is_told_to_those_who_may_see_it(
    client: Client, organisation: Organisation, colleague: User
) -> None:
    append(organisation, [fact("receipt_waived", data={"label": "MEDECIN", "waiver": "lost"})])
    client.force_login(colleague)
    Membership.objects.filter(user=colleague).update(
        dunning_role=DunningRole.READ, bank_role=BankRole.R0
    )
    assert "MEDECIN" not in page(client, organisation)
    assert "Événement de la banque" in page(client, organisation)
    detail = reverse("journal_event", args=[organisation.slug, 1])
    assert "MEDECIN" not in client.get(detail).content.decode()
    Membership.objects.filter(user=colleague).update(bank_role=BankRole.R1)
    assert "MEDECIN" in page(client, organisation)


def test_another_organisations_event_is_not_there(
    camille: Client, organisation: Organisation, stranger: User
) -> None:
    append(Organisation.objects.get(slug="ailleurs"), [fact("note", data={"text": "secret"})])
    assert camille.get(reverse("journal_event", args=[organisation.slug, 1])).status_code == 404
    assert "secret" not in page(camille, organisation)


def test_a_message_of_the_trial_is_told_as_such_not_as_one_that_never_left() -> None:
    """Leaving the test mode forgets what went to the test address alone."""
    data = {"level": 2, "name": "Relance", "purpose": "step", "reason": "TEST"}
    _icon, title, _detail = journal._TELLERS["message_cancelled"](data)
    assert title.startswith("Message d’essai, oublié\u00a0:")
    _icon, title, _detail = journal._TELLERS["message_cancelled"](data | {"reason": "BY_HAND"})
    assert title.startswith("Annulé avant le départ\u00a0:")

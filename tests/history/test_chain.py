"""The journal's chain: what was changed shows, in bounded stretches, to anybody."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from relance.accounts.models import Organisation, User
from relance.history import checking, export, services
from relance.history.models import Chain, Event
from relance.history.services import Fact, append, verify
from relance.ops import turn
from tests.conftest import NOW, TODAY

pytestmark = pytest.mark.django_db
RECIPE = Path(__file__).resolve().parents[2] / "docs" / "journal.md"


def write(organisation: Organisation, count: int, **fields: object) -> None:
    facts = [
        Fact("note", NOW, TODAY, customer_id=one % 3, data={"text": f"é « {one} »", "n": one})
        for one in range(count)
    ]
    append(organisation, [fact._replace(**fields) for fact in facts])


def test_a_whole_chain_is_verified_and_said_so(organisation: Organisation, owner: User) -> None:
    """A9: the chain over the history shows tampering."""
    assert checking.state(organisation).name == "never"
    write(organisation, 7, actor=owner)
    found = checking.begin(organisation, now=NOW)
    assert (found.name, found.length, found.verified_seq) == ("whole", 7, 7)
    assert found.verified_at == NOW


@pytest.mark.parametrize("what", ["data", "actor_name", "on", "hash", "removed"])
def test_what_was_changed_shows_as_the_first_event_that_is_wrong(
    organisation: Organisation, what: str
) -> None:
    write(organisation, 9)
    row = Event.objects.filter(seq=5)
    if what == "removed":
        row.delete()
    else:
        new = {"data": {"text": "autre"}, "actor_name": "Eve", "on": "2020-01-01", "hash": "0" * 64}
        row.update(**{what: new[what]})
    assert verify(organisation) == 5
    found = checking.begin(organisation, now=NOW)
    assert (found.name, found.broken_seq) == ("broken", 5)


def test_a_chain_cut_at_its_end_or_gone_on_without_its_head_shows(
    organisation: Organisation,
) -> None:
    """Neither the last events nor the head can be taken away unseen."""
    write(organisation, 5)
    Event.objects.filter(seq__gt=3).delete()
    assert verify(organisation) == 4
    Chain.objects.all().delete()
    assert verify(organisation) == 1


def test_verification_goes_on_where_it_stopped_and_two_who_ask_get_one(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded time on the page; the worker does the rest."""
    monkeypatch.setattr(services, "CHUNK", 10)
    write(organisation, 35)
    begun = checking.begin(organisation, now=NOW, seconds=-1)
    assert (begun.name, begun.done_seq) == ("running", 0)
    clock = iter([0.0, 0.1, 0.2, 9.0])
    monkeypatch.setattr(checking.time, "monotonic", lambda: next(clock))
    half = checking.begin(organisation, now=NOW, seconds=1)
    assert (half.name, half.done_seq) == ("running", 20)
    write(organisation, 3)
    monkeypatch.undo()
    assert checking.work(NOW) == 1
    assert checking.state(organisation).name == "whole"
    assert checking.work(NOW) == 0


def recipe() -> str:
    """The lines of Python that the documentation gives to anybody."""
    return re.search(r"```python\n(.*?)```", RECIPE.read_text("utf-8"), re.S).group(1)


def run(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", recipe(), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_third_person_verifies_an_export_without_our_program(
    organisation: Organisation, owner: User, tmp_path: Path
) -> None:
    """Proof: the documented recipe, plain Python, no Django."""
    write(organisation, 25, actor=owner)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(export.lines(Event.objects.all(), organisation)))
    done = run(path)
    assert done.returncode == 0
    assert Chain.objects.get().hash in done.stdout
    rows = path.read_text("utf-8").splitlines()
    forged = json.loads(rows[11])
    forged["data"]["n"] = 99
    path.write_text("\n".join([*rows[:11], json.dumps(forged), *rows[12:]]), "utf-8")
    assert "event 12 was changed" in run(path).stderr


def test_the_recipe_that_goes_with_a_dossier_is_that_of_the_documentation() -> None:
    assert recipe() == export.RECIPE


def test_a_customers_part_verifies_line_by_line(organisation: Organisation, tmp_path: Path) -> None:
    write(organisation, 25)
    path = tmp_path / "part.jsonl"
    part = Event.objects.filter(customer_id=2)
    path.write_bytes(b"".join(export.lines(part, organisation)))
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [row["seq"] for row in rows] == list(range(3, 26, 3))
    assert run(path).returncode == 0


def test_an_export_holds_one_organisation_and_reads_by_chunks(
    organisation: Organisation, stranger: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 4)
    other = Organisation.objects.get(slug="ailleurs")
    write(other, 3)
    write(organisation, 10)
    rows = [json.loads(line) for line in export.lines(Event.objects.all(), organisation)]
    assert [row["seq"] for row in rows] == list(range(1, 11))


def test_the_events_of_a_filter_are_found_by_an_index(organisation: Organisation) -> None:
    """A million events page fast: each filter of the page has its index, in its order."""
    if connection.vendor == "postgresql":  # a small table is read whole otherwise
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    own = Event.objects.filter(organisation=organisation).order_by("-seq")
    for rows, name in (
        (own.filter(kind="note"), "event_by_kind|event_note"),
        (own.filter(kind="message_sent"), "event_by_kind"),
        (own.filter(actor_id=3), "event_by_actor"),
        (own.filter(customer_id=3), "event_by_customer"),
    ):
        assert re.search(name, rows[:50].explain())
        assert "TEMP B-TREE" not in rows[:50].explain()


def test_doctor_says_that_the_journal_is_whole_or_where_it_is_not(
    organisation: Organisation, capsys: pytest.CaptureFixture[str]
) -> None:
    write(organisation, 4)
    call_command("doctor")
    said = capsys.readouterr().out
    assert "journal intact, 4 événements" in said
    assert Chain.objects.get().hash in said
    Event.objects.filter(seq=2).update(kind="autre")
    with pytest.raises(CommandError):
        call_command("doctor")
    assert "rompu à l’événement 2" in capsys.readouterr().out


def test_the_worker_goes_on_with_a_verification(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(organisation, 4)
    checking.begin(organisation, now=NOW, seconds=-1)
    assert ("verification of journals", checking.work) in turn.PARTS
    checking.work(NOW)
    assert checking.state(organisation).name == "whole"

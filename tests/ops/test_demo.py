"""The demonstration: an invented world, lived with the real engine, outbox and SMTP."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from relance.accounts.models import Organisation
from relance.dunning.daily import checks as dunning
from relance.dunning.models import Action, Assignment, Batch, Entry, Mention
from relance.engine.calendar import is_working_day
from relance.history import services as history
from relance.ledger import checks as ledger
from relance.ledger.models import Hold, Invoice, Site
from relance.ops.demo import folder
from relance.ops.demo.build import Builder
from relance.ops.demo.launch import FULL
from relance.ops.demo.make import make
from relance.ops.demo.post import Refusing
from relance.ops.demo.world import ZONE, frame, imagine
from relance.ops.smtp_sink import Sink
from relance.outbox import print_runs
from relance.outbox.models import Message, PrintRun, Status

TUESDAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""10:00 in Paris: the messages of the day have left, people have not begun."""
pytestmark = pytest.mark.long
SMALL = {"months": 2, "customers": 24}


@pytest.fixture
def sink(tmp_path: Path, settings: Any) -> Iterator[Sink]:
    """A post office of its own, that the e-mail settings lead to."""
    sink = Sink(tmp_path / "mails", answer=Refusing())
    sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = sink.host, sink.port
    settings.MEDIA_ROOT = tmp_path / "files"
    yield sink
    sink.stop()


def build(sink: Sink) -> Organisation:
    refusing = sink.answer
    assert isinstance(refusing, Refusing)
    make(**SMALL, refusing=refusing, tell=lambda text: None, now=NOW)
    return Organisation.objects.get(firm=None)


def told() -> dict[str, list[tuple[object, ...]]]:
    """What happened, without the ids that differ from one building to the next."""
    entries = Entry.objects.values_list(
        "customer__code", "on", "kind", "level", "reference__number", "channel", "by_run"
    )
    actions = Action.objects.values_list(
        "customer__code", "due_on", "level", "status", "amount_cents", "closed_on"
    )
    sent = Message.objects.values_list("customer__code", "on", "subject", "status", "sent_at")
    owed = Invoice.objects.values_list("number", "issued", "due", "total_cents", "balance_cents")
    return {
        "entries": sorted(entries, key=str),
        "actions": sorted(actions, key=str),
        "messages": sorted(sent, key=str),
        "invoices": sorted(owed, key=str),
    }


@pytest.mark.django_db
def test_every_stored_copy_is_what_its_facts_give(sink: Sink) -> None:
    """As `relance doctor` asks: ledger, outlooks and journal."""
    organisation = build(sink)
    assert list(ledger.differences(organisation)) == []
    assert list(dunning.differences(organisation, TUESDAY)) == []
    assert history.verify(organisation) is None


@pytest.mark.django_db
def test_what_is_told_as_sent_arrived_and_the_rest_is_among_the_errors(sink: Sink) -> None:
    build(sink)
    by_status = {one: Message.objects.filter(status=one) for one in Status.values}
    headers = [mail.headers() for mail in sink.mails()]
    ours = "kerdoncuff.example"  # regular e-mails to Camille are no relances
    arrived = {str(one["Message-ID"]) for one in headers if ours not in str(one["To"])}
    sent = set(by_status["sent"].values_list("message_ref", flat=True))
    [uncertain] = by_status["uncertain"]
    [failed] = by_status["failed"]
    assert len(sent) > 20
    assert arrived == sent | {uncertain.message_ref}
    assert (str(failed.customer), failed.on) == ("Roussel BTP", TUESDAY)
    assert str(uncertain.customer) == "Imprimerie Le Bihan"
    assert not by_status["queued"].exists()


@pytest.mark.django_db
def test_the_morning_has_something_of_everything(sink: Sink) -> None:
    build(sink)
    waiting = Action.objects.filter(status="open", reason="", owners__full_name="Camille Le Goff")
    blocked = Action.objects.filter(status="open", reason="NO_RECIPIENT")
    broken = Hold.objects.filter(kind="promise", until__lt=TUESDAY, invoice__balance_cents__gt=0)
    assert sorted(waiting.values_list("customer__name", "level")) == [
        ("Cinéma L’Éden", 4),
        ("Clinique des Halles", 3),
        ("Garage Lemoine", 4),
        ("Mairie de Plomelin", 2),
        ("Pharmacie Delmas", 2),
        ("SCI Les Tilleuls", 5),
    ]
    assert sorted(blocked.values_list("customer__name", flat=True)) == [
        "Chantier Quai Ouest",
        "Ferme de Kerloc’h",
        "Roussel BTP",  # whose address was refused this morning
    ]
    assert sorted(broken.values_list("customer__name", flat=True)) == [
        "Café de la Poste",
        "Transports Guivarc’h",
    ]


@pytest.mark.django_db
def test_every_way_of_working_has_something_to_show(sink: Sink) -> None:
    """Plans and what waits for approval, the morning, lots and letters, sites, campaigns."""
    make(months=2, customers=FULL, refusing=Refusing(), tell=lambda text: None, now=NOW)
    organisation = Organisation.objects.get(firm=None)
    approving = Message.objects.filter(status=Status.TO_APPROVE)
    assert sorted(approving.values_list("customer__name", flat=True)) == [
        "Cave de l’Odet",
        "Vedettes de l’Aulne",
    ]
    batches = Batch.objects.values_list("kind", "status", "channel").order_by("id")
    assert list(batches) == [
        ("campaign", "done", "email"),
        ("relance", "done", "email"),
        ("relance", "done", "letter"),
        ("relance", "done", "letter"),
        ("campaign", "draft", "email"),
    ]
    assert print_runs.waiting(organisation).count() == 2
    [posted] = PrintRun.objects.all()
    assert posted.confirmed_at is not None
    assert posted.letters == 2
    [mention] = Mention.objects.filter(read_at=None)
    assert str(mention.user) == "Camille Le Goff"
    given = Assignment.objects.values_list("given_by", flat=True).distinct()
    assert sorted(given) == ["hand", "rule"]
    assert Site.objects.filter(favourites=None).exists()
    assert Site.objects.exclude(favourites=None).exists()
    assert list(dunning.differences(organisation, TUESDAY)) == []


@pytest.mark.django_db
def test_two_buildings_tell_the_same_and_days_left_out_change_nothing(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic():
        build(sink)
        quick = told()
        transaction.set_rollback(True)
    monkeypatch.setattr(Builder, "_quiet", lambda self, day: False)
    build(sink)
    assert told() == quick


@pytest.mark.parametrize("departed", [False, True])
@pytest.mark.parametrize("shift", range(14))
def test_the_story_hangs_on_working_days_whatever_the_day(shift: int, departed: bool) -> None:
    today = date(2026, 12, 21) + timedelta(days=shift)  # Christmas and the new year among them
    left = departed and is_working_day(ZONE, today)
    of = frame(today, departed=left, months=24)
    assert all(is_working_day(ZONE, day) for day in (*of.runs, of.departure))
    assert of.runs[2] < of.runs[1] < of.runs[0] < of.departure
    assert (of.runs[0] == today) == left
    world = imagine(of, customers=60)
    assert world == imagine(of, customers=60)
    assert 540 < len(world.bills) < 680
    assert len({bill.number for bill in world.bills}) == len(world.bills)
    assert all(deed.on <= today for deed in world.deeds)


def test_a_folder_is_built_again_until_it_is_marked_as_whole(tmp_path: Path) -> None:
    with folder.held(tmp_path):
        assert folder.built_on(tmp_path) is None
        folder.begin(tmp_path)
        (tmp_path / "relance.sqlite3").write_text("half of a database")
    with folder.held(tmp_path):  # the first building was killed
        assert folder.built_on(tmp_path) is None
        folder.begin(tmp_path)
        assert not (tmp_path / "relance.sqlite3").exists()
        folder.finish(tmp_path, TUESDAY)
        assert folder.built_on(tmp_path) == TUESDAY


def test_a_folder_in_use_or_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    mine, theirs, older = tmp_path / "mine", tmp_path / "theirs", tmp_path / "older"
    theirs.mkdir()
    (theirs / "letter.txt").write_text("dear")
    older.mkdir()
    (older / "relance.sqlite3").write_text("a real installation")
    with (
        folder.held(mine),
        pytest.raises(folder.FolderError, match="tourne déjà"),
        folder.held(mine),
    ):
        raise AssertionError
    for strange in (theirs, older):
        with pytest.raises(folder.FolderError, match="autre chose"), folder.held(strange):
            raise AssertionError
    assert (theirs / "letter.txt").exists()
    assert (older / "relance.sqlite3").exists()

"""The calendar of a firm: one e-mail per dossier and date, whatever happens to the server."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from relance.accounts.models import BankRole, Firm, Organisation, User
from relance.bank.services.errors import BankRefused
from relance.ops.hooks import hooks
from relance.outbox.delivery import Cancel
from relance.outbox.models import Message, Status
from relance.receipts import automatic
from relance.receipts.models import FileSchedule, FirmSchedule, Request
from relance.receipts.services.schedules import save_file_schedule, save_firm_schedule
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db
JANUARY = date(2026, 1, 1)


def at(day: date, hour: int = 9) -> datetime:
    """Nine o'clock UTC, after the hour of departure of the dossier."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.fixture
def schedule(firm: Firm) -> FirmSchedule:
    return FirmSchedule.objects.create(
        firm=firm, enabled=True, first_day=15, second_day=31, enabled_on=JANUARY
    )


def run_days(first: date, last: date, skipped: tuple[date, ...] = ()) -> None:
    """A turn of the worker every hour of the day, but for the days when the server is down."""
    day = first
    while day <= last:
        if day not in skipped:
            for hour in (5, 9, 10, 18):
                automatic.tick(at(day, hour))
        day += timedelta(days=1)


def dates() -> list[date]:
    return list(Request.objects.order_by("on").values_list("on", flat=True))


def test_it_goes_on_the_two_days_and_on_the_last_day_of_shorter_months(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    """S0-11, S0-17, S0-18, S0-19: 15 and 31, that is 28 in February."""
    bring(on=JANUARY)
    client = add_client()
    run_days(JANUARY, date(2026, 2, 28))
    assert dates() == [date(2026, 1, 15), date(2026, 1, 31), date(2026, 2, 15), date(2026, 2, 28)]
    assert {tuple(message.recipients) for message in Message.objects.all()} == {(client.email,)}


def test_two_days_that_fall_together_send_one_mail(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    """S0-20, D-01."""
    bring(on=JANUARY)
    add_client()
    FirmSchedule.objects.update(first_day=30, second_day=31)
    run_days(date(2026, 2, 1), date(2026, 2, 28))
    assert [day for day in dates() if day.month == 2] == [date(2026, 2, 28)]
    assert Message.objects.filter(on=date(2026, 2, 28)).count() == 1


def test_a_day_missed_is_caught_up_once(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    bring(on=JANUARY)
    add_client()
    down = tuple(date(2026, 1, day) for day in (14, 15, 16))
    run_days(JANUARY, date(2026, 1, 30), skipped=down)
    assert dates() == [date(2026, 1, 15)]
    assert Message.objects.count() == 1


def test_switching_it_on_does_not_ask_for_days_gone_by(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    bring(on=JANUARY)
    add_client()
    FirmSchedule.objects.update(enabled_on=date(2026, 1, 16))
    run_days(date(2026, 1, 16), date(2026, 1, 30))
    assert dates() == []


def test_nothing_missing_sends_nothing(schedule: FirmSchedule, add_client: AddClient) -> None:
    """S0-36."""
    add_client()
    run_days(JANUARY, date(2026, 1, 31))
    assert (dates(), Message.objects.count()) == ([], 0)


def test_a_client_whom_nobody_can_answer_for_is_an_error_to_be_seen(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    """S0-37."""
    bring(on=JANUARY)
    add_client(bank=BankRole.R1)
    run_days(JANUARY, date(2026, 1, 20))
    request = Request.objects.get()
    assert (request.refusal, request.count) == ("NO_ELIGIBLE_RECIPIENT", 1)
    assert Message.objects.count() == 0


def test_one_file_has_its_own_days_or_none(
    schedule: FirmSchedule, dossier: Organisation, bring: Bring, add_client: AddClient
) -> None:
    bring(on=JANUARY)
    add_client()
    FileSchedule.objects.create(organisation=dossier, mode="off")
    run_days(JANUARY, date(2026, 1, 16))
    assert dates() == []
    FileSchedule.objects.update(mode="own", first_day=20, served_on=date(2026, 1, 16))
    run_days(date(2026, 1, 17), date(2026, 1, 31))
    assert dates() == [date(2026, 1, 20)]


def test_nothing_older_than_the_starting_date_is_asked(
    schedule: FirmSchedule, dossier: Organisation, bring: Bring, add_client: AddClient
) -> None:
    """D-03."""
    bring(on=date(2025, 6, 1))
    new = bring(on=date(2026, 1, 5))
    add_client()
    FileSchedule.objects.create(organisation=dossier, starting_on=JANUARY)
    run_days(JANUARY, date(2026, 1, 15))
    assert [asked.transaction for asked in Request.objects.get().asked.all()] == [new]


def test_working_days_shift_the_date_when_the_firm_wishes(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    """D-02: 31 January 2026 is a Saturday."""
    bring(on=JANUARY)
    add_client()
    FirmSchedule.objects.update(first_day=31, second_day=None, working_days=True)
    run_days(date(2026, 1, 20), date(2026, 2, 3))
    assert dates() == [date(2026, 2, 2)]


def test_it_waits_for_the_hour_of_the_dossier(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    bring(on=JANUARY)
    add_client()
    automatic.tick(at(date(2026, 1, 15), 5))
    assert dates() == []
    automatic.tick(at(date(2026, 1, 15), 9))
    assert dates() == [date(2026, 1, 15)]


def test_what_is_justified_before_it_leaves_is_not_asked(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient
) -> None:
    row = bring(on=JANUARY)
    add_client()
    automatic.tick(at(date(2026, 1, 15)))
    message = Message.objects.get()
    assert message.status == Status.QUEUED
    both = hooks(lambda: at(date(2026, 1, 15)))
    assert both.recheck([message]) == {}
    row.missing = ""
    row.save()
    verdict = both.recheck([message])[message.pk]
    assert getattr(verdict, "reason", "") == "NOTHING_MISSING"


@pytest.mark.long
def test_a_month_of_a_hundred_dossiers_with_an_outage_sends_one_mail_for_each_date(
    schedule: FirmSchedule, firm: Firm, bring: Bring, add_client: AddClient
) -> None:
    """Automatic on the 15th and 31st, the server down over the 15th."""
    clients = {}
    for number in range(100):
        dossier = Organisation.objects.create(name=f"D{number}", slug=f"d{number}", firm=firm)
        bring(on=JANUARY, of=dossier)
        clients[dossier.pk] = add_client(f"c{number}", of=dossier).email
    down = (date(2026, 1, 15), date(2026, 1, 16))
    run_days(date(2026, 1, 14), date(2026, 1, 31), skipped=down)
    sent = Message.objects.values_list("organisation_id", "on", "recipients")
    expected = {(key, date(2026, 1, day)) for key in clients for day in (15, 31)}
    assert len(sent) == 200
    assert {(key, on) for key, on, _to in sent} == expected
    assert all(to == [clients[key]] for key, _on, to in sent)


def test_other_days_of_the_firm_do_not_ask_for_a_date_gone_by(
    schedule: FirmSchedule, accountant: User, bring: Bring, add_client: AddClient
) -> None:
    """S0-18: the 18th chosen on the 20th begins next month, for every dossier."""
    bring(on=JANUARY)
    add_client()
    run_days(JANUARY, date(2026, 1, 19))
    today = date(2026, 1, 20)
    save_firm_schedule(
        firm=schedule.firm,
        enabled=True,
        days=[18],
        working_days=False,
        second_after=None,
        actor=accountant,
        on=today,
        now=at(today),
    )
    run_days(today, date(2026, 2, 18))
    assert dates() == [date(2026, 1, 15), date(2026, 2, 18)]


@pytest.mark.parametrize("mode", [FileSchedule.Mode.FIRM, FileSchedule.Mode.OWN])
def test_a_dossier_that_is_asked_again_by_itself_begins_with_the_next_date(
    schedule: FirmSchedule,
    accountant: User,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    mode: str,
) -> None:
    """Its relances were off on the 15th: back on the 20th, nothing leaves before the 31st."""
    FileSchedule.objects.create(organisation=dossier, mode=FileSchedule.Mode.OFF)
    bring(on=JANUARY)
    add_client()
    today = date(2026, 1, 20)
    save_file_schedule(
        organisation=dossier,
        mode=mode,
        days=[15, 31],
        starting_on=None,
        second_contact="",
        actor=accountant,
        on=today,
        now=at(today),
    )
    run_days(today, date(2026, 1, 31))
    assert dates() == [date(2026, 1, 31)]


@pytest.mark.parametrize("error", [BankRefused("Adresse refusée.", "BAD_ADDRESS"), RuntimeError()])
def test_a_dossier_that_breaks_keeps_none_of_the_others_from_being_asked(
    schedule: FirmSchedule,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """S0-37: what cannot be written is an error to be seen; what breaks is tried again."""
    other = Organisation.objects.create(name="Zinc", slug="zinc", firm=dossier.firm)
    for one, name in ((dossier, "yann"), (other, "zoe")):
        bring(on=JANUARY, of=one)
        add_client(name, of=one)
    send = automatic.send_request

    def refused(**facts: Any) -> Request:
        if facts["organisation"] == dossier:
            raise error
        return send(**facts)

    monkeypatch.setattr(automatic, "send_request", refused)
    day = date(2026, 1, 15)
    automatic.tick(at(day))
    assert Request.objects.get(organisation=other).refusal == ""
    kept = Request.objects.filter(organisation=dossier).values_list("refusal", flat=True)
    assert list(kept) == (["BAD_ADDRESS"] if isinstance(error, BankRefused) else [])
    monkeypatch.undo()
    automatic.tick(at(day, 10))
    assert Request.objects.filter(organisation=dossier, on=day).count() == 1


def test_the_switch_stops_the_calendar_and_the_date_is_caught_up_when_it_is_on_again(
    schedule: FirmSchedule, bring: Bring, add_client: AddClient, dossier: Organisation
) -> None:
    """The one switch of a dossier holds back what leaves by itself of both chases."""
    bring(on=JANUARY)
    add_client()
    Organisation.objects.update(sending_on=False)
    automatic.tick(at(date(2026, 1, 15)))
    assert Request.objects.count() == 0
    Organisation.objects.update(sending_on=True)
    automatic.tick(at(date(2026, 1, 16)))
    assert dates() == [date(2026, 1, 15)]
    Organisation.objects.update(sending_on=False)
    [message] = Message.objects.all()
    verdict = hooks(lambda: at(date(2026, 1, 16))).recheck([message])[message.pk]
    assert verdict == Cancel("SENDING_OFF")

"""Regular e-mails to users: when each is due, what it says, that it is said once (S4-30, D-13)."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from relance.accounts.models import DunningRole, Membership, Organisation, Subscription, User
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Plan
from relance.dunning.recaps import recaps
from relance.ledger.models import Customer
from relance.ops.smtp_sink import Sink
from relance.outbox.models import Notice
from tests.conftest import TODAY, at, make_customer, make_invoice

MONDAY = date(2026, 11, 23)
WEEKLY, DAILY, FOREWARNING = "weekly", "daily", "forewarning"


@pytest.fixture
def sink(tmp_path: Path, settings: Any) -> Iterator[Sink]:
    sink = Sink(tmp_path / "mails")
    sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.PUBLIC_URL = "https://relance.example"
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    yield sink
    sink.stop()


def local(day: date, hour: int, minute: int = 0) -> datetime:
    """That hour in Paris, in winter, in UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - timedelta(hours=1)


def asked(organisation: Organisation, user: User, kind: str) -> Subscription:
    return Subscription.objects.create(organisation=organisation, user=user, kind=kind)


def received(sink: Sink) -> list[tuple[str, str, str]]:
    """Subject, text and HTML of every mail that arrived, with plain spaces."""
    found = []
    for stored in sink.mails():
        mail = stored.mail()
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        words = (str(mail["Subject"]), str(text.get_content()), str(html.get_content()))
        subject, plain, rich = (re.sub(r"[\u00a0\u202f]", " ", one) for one in words)
        found.append((subject.strip(), plain.replace("\r\n", "\n"), rich))
    return found


# --- when --------------------------------------------------------------------------------------


def moment(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute))


@pytest.mark.parametrize(
    ("kind", "when", "expected"),
    [
        (WEEKLY, moment(MONDAY, 7, 59), None),
        (WEEKLY, moment(MONDAY, 8), MONDAY),
        (WEEKLY, moment(date(2026, 4, 6), 8), date(2026, 4, 6)),  # Easter Monday
        (WEEKLY, moment(MONDAY, 23), MONDAY),
        (WEEKLY, moment(date(2026, 11, 24), 19), MONDAY),
        (WEEKLY, moment(date(2026, 11, 24), 20), None),
        (WEEKLY, moment(date(2026, 11, 22), 8), None),
        (DAILY, moment(MONDAY, 8, 29), None),
        (DAILY, moment(MONDAY, 8, 30), MONDAY),
        (DAILY, moment(MONDAY, 22), None),
        (DAILY, moment(date(2026, 11, 22), 9), None),  # Sunday
        (DAILY, moment(date(2026, 11, 11), 9), None),  # Armistice
        (FOREWARNING, moment(MONDAY, 15, 59), None),
        (FOREWARNING, moment(MONDAY, 16), MONDAY),
        (FOREWARNING, moment(date(2026, 11, 21), 16), None),  # Saturday
    ],
)
def test_each_is_due_at_its_local_hour_and_not_days_late(
    kind: str, when: datetime, expected: date | None
) -> None:
    """D-13: Monday 08:00 local."""
    due = recaps.due(kind, when, "metropole", time(8, 30))
    assert (due.on if due else None) == expected


def test_the_hour_is_that_of_the_organisation(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    organisation.timezone = "Indian/Reunion"
    organisation.save()
    asked(organisation, owner, WEEKLY)
    assert recaps.tick(datetime(2026, 11, 23, 3, 59, tzinfo=UTC)) == 0
    assert recaps.tick(datetime(2026, 11, 23, 4, 0, tzinfo=UTC)) == 1


# --- the Monday recap --------------------------------------------------------------------------


def test_the_weekly_recap_lists_the_unpaid_by_level_and_what_is_to_be_chased(
    organisation: Organisation, owner: User, plan: Plan, sink: Sink
) -> None:
    """S4-30, D-13: read without logging in, in the text as in the HTML."""
    plan.steps.update(automatic=False)
    for name, late, cents in (("Alpha", 8, 123_456), ("Beta <b>&", 12, 90_000)):
        customer = make_customer(organisation, plan, name)
        make_invoice(customer, f"F-{name[0]}", MONDAY - timedelta(days=late), cents)
    friday = MONDAY - timedelta(days=3)
    run.run(organisation, on=friday, now=at(friday), pause=0)
    asked(organisation, owner, WEEKLY)

    recaps.work(local(MONDAY, 8))

    [(subject, text, html)] = received(sink)
    assert subject == "Impayés de la semaine : 2 134,56 € en retard"
    for said in (
        "En retard : 2 134,56 € (2 factures)",
        "Jamais relancées",
        "2 factures, 2 clients",
        "À relancer (2)",
        "- Alpha, 1 234,56 €",
        "Second rappel · F-A · 8 jours de retard",
        "- Beta <b>&, 900,00 €",
        "Actions qui vous attendent (1)",
    ):
        assert said in text
    assert "<b>&" not in html
    links = re.findall(r"https://relance\.example/\S+", text)
    for who in Customer.objects.all():
        assert f"https://relance.example/d/ateliers-kerdoncuff/clients/{who.pk}/" in links
    assert set(links) == set(re.findall(r'href="([^"]+)"', html))


def test_a_week_without_anything_says_so(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    asked(organisation, owner, WEEKLY)
    recaps.work(local(MONDAY, 8))
    [(subject, text, _html)] = received(sink)
    assert "0,00" in subject
    assert "Rien n’est en retard" in text


def test_it_is_written_in_the_language_of_its_reader(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    User.objects.filter(pk=owner.pk).update(language="en")
    asked(organisation, owner, WEEKLY)
    recaps.work(local(MONDAY, 8))
    [(_subject, _text, html)] = received(sink)
    assert '<html lang="en">' in html


# --- once, and by whom -------------------------------------------------------------------------


def test_it_is_sent_once_however_often_the_worker_asks(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    """S4-30: also after an outage, and not twice on the next day."""
    asked(organisation, owner, WEEKLY)
    for now in (
        local(MONDAY, 8),
        local(MONDAY, 8, 1),
        local(MONDAY, 20),
        local(MONDAY + timedelta(days=1), 9),
    ):
        recaps.work(now)
    assert len(received(sink)) == 1
    recaps.work(local(MONDAY + timedelta(days=7), 8))
    assert len(received(sink)) == 2


def test_a_process_that_dies_between_did_both_or_nothing(
    organisation: Organisation, owner: User, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = asked(organisation, owner, WEEKLY)

    def dies(**_fields: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("relance.outbox.notices.write_down", dies)
        with pytest.raises(KeyboardInterrupt):
            recaps.tick(local(MONDAY, 8))
    subscription.refresh_from_db()
    assert (subscription.last_on, Notice.objects.count()) == (None, 0)
    recaps.work(local(MONDAY, 8, 5))
    assert len(received(sink)) == 1


def test_asking_again_the_same_day_does_not_bring_a_second_one(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    asked(organisation, owner, WEEKLY)
    recaps.work(local(MONDAY, 8))
    Subscription.objects.all().delete()
    asked(organisation, owner, WEEKLY)
    recaps.work(local(MONDAY, 9))
    assert len(received(sink)) == 1


def test_one_that_breaks_does_not_keep_the_others(
    organisation: Organisation, owner: User, colleague: User, sink: Sink
) -> None:
    broken = asked(organisation, owner, WEEKLY)
    Organisation.objects.create(name="X", slug="x", timezone="Mars/Olympus")
    Subscription.objects.filter(pk=broken.pk).update(
        organisation=Organisation.objects.get(slug="x")
    )
    asked(organisation, colleague, WEEKLY)
    recaps.work(local(MONDAY, 8))
    assert [stored.headers()["To"] for stored in sink.mails()] == [colleague.email]


def test_whoever_left_the_dossier_or_closed_his_account_receives_nothing(
    organisation: Organisation, owner: User, colleague: User, stranger: User, sink: Sink
) -> None:
    asked(organisation, owner, WEEKLY)
    asked(organisation, colleague, WEEKLY)
    asked(organisation, stranger, WEEKLY)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    Membership.objects.filter(user=colleague).update(dunning_role=DunningRole.NONE)
    recaps.work(local(MONDAY, 8))
    assert received(sink) == []


def test_subscribing_starts_with_the_next_one(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    recaps.subscribe(organisation=organisation, user=owner, kinds={WEEKLY}, now=local(MONDAY, 10))
    recaps.work(local(MONDAY, 10, 5))
    assert received(sink) == []
    recaps.work(local(MONDAY + timedelta(days=7), 8))
    assert len(received(sink)) == 1
    recaps.subscribe(organisation=organisation, user=owner, kinds=set(), now=local(MONDAY, 10))
    assert not Subscription.objects.exists()


# --- the day's and the forewarning -------------------------------------------------------------


def test_the_daily_mail_waits_for_the_pass_and_lists_what_is_mine(
    organisation: Organisation, owner: User, colleague: User, plan: Plan, sink: Sink
) -> None:
    """D-13: off by default, only on a day on which something waits."""
    plan.steps.update(automatic=False)
    make_invoice(make_customer(organisation, plan), "F-1", TODAY - timedelta(days=8), 50_00)
    asked(organisation, owner, DAILY)
    asked(organisation, colleague, DAILY)
    recaps.work(local(TODAY, 8, 31))
    assert received(sink) == [], "the pass of the day opens its actions"

    run.run(organisation, on=TODAY, now=at(TODAY), pause=0)
    recaps.work(local(TODAY, 8, 35))

    [(subject, text, _html)] = received(sink)
    assert subject == "1 action à traiter aujourd’hui"
    assert "Pharmacie Delmas" in text
    assert "/actions/" in text


def test_the_forewarning_is_a_true_dry_run_of_the_next_departure(
    organisation: Organisation, owner: User, plan: Plan, sink: Sink
) -> None:
    """Count, customers, level, amount and a link to hold; what it told is what then leaves."""
    tomorrow = TODAY + timedelta(days=1)
    for name, late, cents in (("Alpha", 6, 123_456), ("Beta", 6, 90_000), ("Gamma", 1, 7_000)):
        customer = make_customer(organisation, plan, name)
        make_invoice(customer, f"F-{name}", TODAY - timedelta(days=late), cents)
    run.run(organisation, on=TODAY - timedelta(days=1), now=at(TODAY - timedelta(days=1)), pause=0)
    Customer.objects.filter(name="Gamma").update(excluded=True)
    run.run(organisation, on=TODAY, now=at(TODAY), pause=0)
    foreseen = _left_tomorrow(organisation, owner, sink, tomorrow)

    done = run.run(organisation, on=tomorrow, now=at(tomorrow), pause=0)

    assert done.queued == foreseen


def _left_tomorrow(organisation: Organisation, owner: User, sink: Sink, tomorrow: date) -> int:
    """What the forewarning of today told of tomorrow: the number of messages."""
    asked(organisation, owner, FOREWARNING)
    recaps.work(local(TODAY, 16))
    mails = received(sink)
    if not mails:
        return 0
    [(subject, text, _html)] = mails
    assert "/avant-envoi/client/" in text
    assert f"jour={tomorrow.isoformat()}" in text
    return int(subject.split()[0])


def test_the_forewarning_tells_who_at_which_level_for_how_much(
    organisation: Organisation, owner: User, plan: Plan, sink: Sink
) -> None:
    customer = make_customer(organisation, plan, "Alpha")
    make_invoice(customer, "F-1", TODAY - timedelta(days=6), 123_456)
    refreshing.refresh(organisation, [customer.pk], on=TODAY, now=at(TODAY))

    assert _left_tomorrow(organisation, owner, sink, TODAY + timedelta(days=1)) == 1

    [(subject, text, _html)] = received(sink)
    assert subject == "1 relance partira le 25 novembre 2026"
    assert "- Alpha, 1 234,56 €\n  Second rappel\n  Lire ou retenir : https://" in text


def test_nothing_that_leaves_means_no_forewarning(
    organisation: Organisation, owner: User, sink: Sink
) -> None:
    asked(organisation, owner, FOREWARNING)
    recaps.work(local(TODAY, 16))
    assert received(sink) == []


def test_suspended_sending_is_not_foreseen(
    organisation: Organisation, owner: User, plan: Plan, sink: Sink
) -> None:
    customer = make_customer(organisation, plan, "Alpha")
    make_invoice(customer, "F-1", TODAY - timedelta(days=6), 123_456)
    refreshing.refresh(organisation, [customer.pk], on=TODAY, now=at(TODAY))
    Organisation.objects.update(sending_on=False)
    asked(organisation, owner, FOREWARNING)
    recaps.work(local(TODAY, 16))
    assert received(sink) == []

"""Mailboxes read by IMAP: each mail once, nothing marked there, a dead server left alone."""

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

import pytest
from django.db import OperationalError

from relance.accounts.models import Organisation
from relance.history.models import Event
from relance.outbox.inbound import care, imap, reading
from relance.outbox.inbound.care import CareError, Deed
from relance.outbox.models import Inbound, Inbox, Mailbox
from tests.outbox.conftest import NOW
from tests.outbox.imap_house import ImapHouse
from tests.outbox.mails import answer

DEED = Deed(None, NOW.date(), NOW)


@pytest.fixture
def house(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImapHouse]:
    settings.SMTP_PRIVATE_NETWORKS = True
    monkeypatch.setattr(imap, "SILENCE_SECONDS", 1)
    house = ImapHouse()
    yield house
    house.stop()


@pytest.fixture
def inbox(organisation: Organisation, house: ImapHouse) -> Inbox:
    return connect(organisation, house)


def connect(organisation: Organisation | None, house: ImapHouse, **fields: object) -> Inbox:
    values = {
        "address": "retours@martin.example",
        "host": "127.0.0.1",
        "port": house.port,
        "security": Mailbox.Security.NONE,
        "username": "retours",
    }
    inbox = Inbox(organisation=organisation, **{**values, **fields})
    return care.save(inbox, password=house.password, deed=DEED)


def read(inbox: Inbox, **later: float) -> int:
    return reading.read_one(inbox, now=NOW + timedelta(**later), until=monotonic() + 30)


def numbered(n: int) -> bytes:
    return answer(own_id=f"<m{n}@example.com>", text=f"mail {n}")


def test_what_arrives_after_the_trial_is_taken_in_once(inbox: Inbox, house: ImapHouse) -> None:
    """What was in the folder before is not the dossier's to keep."""
    house.add(numbered(1))
    assert care.try_out(inbox, now=NOW) == care.Trial(mails=1)
    house.add(numbered(2))
    house.add(numbered(3))
    assert read(inbox) == 2
    assert read(inbox, minutes=2) == 0
    assert [one.text for one in Inbound.objects.order_by("pk")] == ["mail 2", "mail 3"]
    assert house.fetched == [2, 3]
    assert not any(
        word in said for said in house.commands for word in ("STORE", "SELECT", "EXPUNGE")
    )


def test_an_inbox_is_not_read_before_a_trial_has_succeeded(inbox: Inbox, house: ImapHouse) -> None:
    assert read(inbox) == 0
    assert house.logins == 0


def test_two_workers_do_not_read_one_inbox_at_once(inbox: Inbox, house: ImapHouse) -> None:
    care.try_out(inbox, now=NOW)
    house.add(numbered(1))
    Inbox.objects.filter(pk=inbox.pk).update(paused_until=NOW + reading.LEASE)
    assert read(inbox) == 0
    assert read(inbox, minutes=6) == 1, "a lease ends with its worker"


def test_a_folder_numbered_anew_is_looked_at_again_without_a_double(
    inbox: Inbox, house: ImapHouse
) -> None:
    """RFC 3501: another UIDVALIDITY makes every UID meaningless."""
    care.try_out(inbox, now=NOW)
    house.add(numbered(1))
    assert read(inbox) == 1
    house.validity = 8
    house.add(numbered(2))
    assert read(inbox, minutes=2) == 1
    inbox.refresh_from_db()
    assert (inbox.uid_validity, inbox.last_uid) == (8, 2)


def test_a_line_cut_in_the_middle_loses_and_doubles_nothing(inbox: Inbox, house: ImapHouse) -> None:
    care.try_out(inbox, now=NOW)
    for n in range(4):
        house.add(numbered(n))
    house.cuts_after = 2
    read(inbox)
    house.cuts_after = None
    read(inbox, minutes=6)
    assert sorted(Inbound.objects.values_list("text", flat=True)) == [f"mail {n}" for n in range(4)]
    assert sorted(house.fetched) == [1, 2, 3, 4]


def test_a_turn_takes_so_many_mails_and_the_next_goes_on(
    inbox: Inbox, house: ImapHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_MAILS", 2)
    care.try_out(inbox, now=NOW)
    for n in range(5):
        house.add(numbered(n))
    assert [read(inbox), read(inbox), read(inbox)] == [2, 2, 1]


def test_a_dead_server_rests_with_growing_pauses(inbox: Inbox, house: ImapHouse) -> None:
    care.try_out(inbox, now=NOW)
    house.password = "changed"
    pauses = []
    at = NOW
    for _try in range(3):
        reading.read_one(inbox, now=at, until=monotonic() + 30)
        inbox.refresh_from_db()
        assert inbox.paused_until is not None
        pauses.append(inbox.paused_until - at)
        at = inbox.paused_until
    assert pauses == [timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1)]
    assert inbox.check_error.startswith("LOGIN_REFUSED")
    house.password = "motdepasse-imap"
    reading.read_one(inbox, now=at, until=monotonic() + 30)
    inbox.refresh_from_db()
    assert (inbox.failures, inbox.check_error) == (0, "")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"host": "169.254.169.254", "port": 993}, "FORBIDDEN_HOST"),
        ({"host": "no-such-host.invalid"}, "NO_HOST"),
        ({"port": 1}, "NO_ANSWER"),
        ({"folder": "Absent"}, "NO_FOLDER"),
        ({"security": Mailbox.Security.TLS}, "BAD_TLS"),
        ({"security": Mailbox.Security.STARTTLS}, "PROTOCOL"),
    ],
)
def test_a_trial_says_what_does_not_work(
    organisation: Organisation, house: ImapHouse, change: dict[str, object], code: str
) -> None:
    inbox = connect(organisation, house, **change)
    assert care.try_out(inbox, now=NOW).code == code
    inbox.refresh_from_db()
    assert inbox.checked_at is None


def test_private_networks_are_refused_unless_the_installation_allows_them(
    inbox: Inbox, settings
) -> None:
    settings.SMTP_PRIVATE_NETWORKS = False
    assert care.try_out(inbox, now=NOW).code == "FORBIDDEN_HOST"


def test_a_silent_server_does_not_hold_the_worker(inbox: Inbox, house: ImapHouse) -> None:
    house.hangs = True
    assert care.try_out(inbox, now=NOW).code == "NO_ANSWER"


def test_a_mail_announced_larger_than_memory_is_not_waited_for(
    inbox: Inbox, house: ImapHouse
) -> None:
    care.try_out(inbox, now=NOW)
    house.add(numbered(1))
    house.announces = 4_000_000_000
    assert read(inbox) == 0
    inbox.refresh_from_db()
    assert "4000000000 bytes" in inbox.check_error


def test_the_password_is_encrypted_and_not_sent_elsewhere(inbox: Inbox, house: ImapHouse) -> None:
    """Whoever changes the server types the password anew."""
    assert house.password not in inbox.secret
    inbox.host = "imap.elsewhere.example"
    with pytest.raises(CareError, match="PASSWORD_NEEDED"):
        care.save(inbox, password=None, deed=DEED)
    told = Event.objects.filter(organisation=inbox.organisation).values_list("kind", "data")
    assert [kind for kind, _data in told] == ["inbox_saved"]
    assert house.password not in str(list(told))


def test_a_removed_inbox_forgets_its_password_and_keeps_what_came(
    inbox: Inbox, house: ImapHouse
) -> None:
    care.try_out(inbox, now=NOW)
    house.add(numbered(1))
    read(inbox)
    care.retire(inbox, deed=DEED)
    inbox.refresh_from_db()
    assert inbox.secret == ""
    assert read(inbox, minutes=5) == 0
    assert Inbound.objects.count() == 1


def test_a_demonstration_reads_no_mailbox(inbox: Inbox, settings) -> None:
    care.try_out(inbox, now=NOW)
    settings.DEMO = True
    assert reading.read_due(now=NOW, until=monotonic() + 5) == 0


def test_a_database_that_does_not_answer_is_not_told_as_the_servers_fault(
    inbox: Inbox, house: ImapHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    care.try_out(inbox, now=NOW)
    house.add(numbered(1))

    def away(*_args: object, **_more: object) -> None:
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as broken:
        broken.setattr(reading, "take_in", away)
        with pytest.raises(OperationalError):
            read(inbox)
    inbox.refresh_from_db()
    assert (inbox.failures, inbox.check_error) == (0, "")
    assert read(inbox, minutes=6) == 1

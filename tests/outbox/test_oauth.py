"""Mailboxes connected by consent: tokens, their renewal, and what a withdrawn consent costs."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.outbox import mailbox_care, oauth, secrets
from relance.outbox.channels.email.check import Trial
from relance.outbox.models import Mailbox, Message, Status

from .conftest import NOW, Clock, Server
from .consent import CLIENT, SECRET, TokenOffice
from .post_office import Open, PostOffice
from .test_mailbox_delivery import deliver, through

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")


@pytest.fixture
def google(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenOffice]:
    settings.OAUTH_CLIENTS = {"google": (CLIENT, SECRET), "microsoft": ("", "")}
    settings.SMTP_PRIVATE_NETWORKS = True
    office = TokenOffice()
    real = oauth.providers()
    monkeypatch.setattr(oauth, "providers", lambda: real | {"google": office.provider()})
    yield office
    office.stop()


@pytest.fixture
def office(post_office: Open) -> PostOffice:
    return post_office(login="compta@martin.example", token="access-1")


@pytest.fixture
def mailbox(
    organisation: Organisation, camille: User, google: TokenOffice, office: PostOffice
) -> Mailbox:
    """Connected by consent, at a server of this machine."""
    tokens = oauth.finish("google", code="good-code", verifier="v" * 64, back="https://r", now=NOW)
    mailbox = mailbox_care.consent(
        Mailbox(organisation=organisation), "google", tokens, actor=camille, on=NOW.date(), now=NOW
    )
    mailbox.port, mailbox.security = office.port, Mailbox.Security.NONE
    mailbox.save()
    return mailbox


def test_consent_is_asked_for_with_a_state_and_a_challenge(google: TokenOffice) -> None:
    """RFC 7636: whoever steals the code cannot use it without the verifier."""
    begun = oauth.begin("google", back="https://relance.example/back/", hint="a@martin.example")
    assert begun.url.startswith("https://accounts.example/auth?")
    for part in ("code_challenge_method=S256", f"state={begun.state}", "login_hint=a%40martin"):
        assert part in begun.url
    assert begun.verifier not in begun.url
    google.codes["stolen"] = "the challenge of somebody else"
    with pytest.raises(oauth.TokenError, match="CONSENT_REVOKED"):
        oauth.finish("google", code="stolen", verifier=begun.verifier, back="https://r", now=NOW)
    with pytest.raises(oauth.TokenError, match="OAUTH_OFF"):
        oauth.begin("microsoft", back="https://relance.example/back/")


def test_a_mailbox_by_consent_keeps_tokens_encrypted_and_no_password(mailbox: Mailbox) -> None:
    mailbox.refresh_from_db()
    assert (mailbox.address, mailbox.username, mailbox.auth, mailbox.secret) == (
        "compta@martin.example",
        "compta@martin.example",
        "google",
        "",
    )
    assert "refresh-1" not in mailbox.refresh_secret
    assert secrets.opened(mailbox.refresh_secret) == "refresh-1"
    assert mailbox.access_until == NOW + timedelta(hours=1)


def test_messages_leave_by_xoauth2(
    mailbox: Mailbox, office: PostOffice, google: TokenOffice, queue_one: QueueOne, clock: Clock
) -> None:
    queue_one(**through(mailbox))
    assert deliver(clock).sent == 1
    assert [mail["From"] for mail in office.mails] == ["compta@martin.example"]
    assert mailbox_care.try_out(mailbox, now=NOW).done[-1] == "sender"
    assert len(google.asked) == 1, "the access of the consent still lasts"


def test_the_access_is_renewed_when_it_ends_and_the_new_refresh_token_kept(
    mailbox: Mailbox, office: PostOffice, google: TokenOffice, queue_one: QueueOne, clock: Clock
) -> None:
    clock.forward(minutes=59)
    office.token = "access-2"
    queue_one(**through(mailbox))
    assert deliver(clock).sent == 1
    mailbox.refresh_from_db()
    assert secrets.opened(mailbox.refresh_secret) == "refresh-2"
    assert mailbox.renewing_until is None
    assert mailbox.access_until == clock() + timedelta(hours=1)


def test_a_withdrawn_consent_lets_the_mailbox_rest_and_its_messages_wait(
    mailbox: Mailbox,
    office: PostOffice,
    google: TokenOffice,
    server: Server,
    queue_one: QueueOne,
    clock: Clock,
) -> None:
    """As with a bad password: nothing is tried on the messages, the others go on."""
    google.revoked = True
    clock.forward(hours=2)
    mine = queue_one(**through(mailbox))
    queue_one()

    assert deliver(clock).sent == 1

    mailbox.refresh_from_db()
    mine.refresh_from_db()
    assert mailbox.check_error.startswith("CONSENT_REVOKED")
    assert mailbox.paused_until == clock() + timedelta(minutes=5)
    assert (mine.status, mine.attempts, mine.not_before) == (
        Status.QUEUED,
        0,
        mailbox.paused_until,
    )
    assert mailbox_care.try_out(mailbox, now=clock()) == Trial(
        "CONSENT_REVOKED", (), "invalid_grant"
    )


@pytest.mark.parametrize(("status", "code"), [(503, "OAUTH_SILENT"), (401, "OAUTH_REFUSED")])
def test_a_provider_in_trouble_is_no_withdrawn_consent(
    mailbox: Mailbox, google: TokenOffice, status: int, code: str
) -> None:
    google.status = status
    if status == 401:
        google.answer = lambda form: (401, {"error": "invalid_client"})  # type: ignore[method-assign]
    with pytest.raises(oauth.TokenError, match=code):
        oauth.access_of(mailbox, at=NOW + timedelta(hours=2))
    mailbox.refresh_from_db()
    assert secrets.opened(mailbox.refresh_secret) == "refresh-1"
    assert mailbox.renewing_until is None, "the turn is given back"


def test_a_token_that_the_server_refuses_is_asked_for_anew(
    mailbox: Mailbox, office: PostOffice, queue_one: QueueOne, clock: Clock
) -> None:
    office.token = "access-2"
    queue_one(**through(mailbox))
    assert deliver(clock).sent == 0
    clock.forward(minutes=5)
    assert deliver(clock).sent == 1


def test_two_workers_never_renew_the_same_token(
    mailbox: Mailbox, google: TokenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotating token used twice would withdraw the consent: one asks, the other waits."""
    later = NOW + timedelta(hours=2)
    Mailbox.objects.filter(pk=mailbox.pk).update(renewing_until=later + timedelta(seconds=10))
    waited: list[float] = []

    def other_worker(seconds: float) -> None:
        waited.append(seconds)
        Mailbox.objects.filter(pk=mailbox.pk).update(
            access_secret=secrets.sealed("theirs"),
            access_until=later + timedelta(hours=1),
            renewing_until=None,
        )

    monkeypatch.setattr(oauth, "sleep", other_worker)
    assert oauth.access_of(mailbox, at=later) == "theirs"
    assert (len(waited), len(google.asked)) == (1, 1)


def test_a_worker_waits_for_the_one_that_asks_and_takes_what_it_got(
    mailbox: Mailbox, google: TokenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh token that rotates is asked with once, whoever comes at the same moment."""
    later = NOW + timedelta(hours=2)
    row = Mailbox.objects.filter(pk=mailbox.pk)
    row.update(renewing_until=later + timedelta(seconds=30))
    asked = len(google.asked)

    def the_other_ends(_seconds: float) -> None:
        row.update(
            renewing_until=None,
            access_secret=secrets.sealed("access-2"),
            access_until=later + timedelta(hours=1),
        )

    monkeypatch.setattr(oauth, "sleep", the_other_ends)
    assert oauth.access_of(mailbox, at=later) == "access-2"
    assert len(google.asked) == asked


def test_whoever_may_edit_a_mailbox_cannot_send_its_token_elsewhere(
    mailbox: Mailbox, camille: User
) -> None:
    mailbox.host = "evil.example"
    with pytest.raises(mailbox_care.MailboxError, match="PASSWORD_NEEDED"):
        mailbox_care.save(mailbox, password=None, actor=camille, on=NOW.date(), now=NOW)


def test_tokens_are_encrypted_anew_and_forgotten_with_the_mailbox(
    mailbox: Mailbox, camille: User, settings: Any
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "newer", [settings.SECRET_KEY]
    assert mailbox_care.rekey() == 2
    settings.SECRET_KEY_FALLBACKS = []
    mailbox.refresh_from_db()
    assert secrets.opened(mailbox.refresh_secret) == "refresh-1"
    mailbox_care.retire(mailbox, actor=camille, on=NOW.date(), now=NOW)
    mailbox.refresh_from_db()
    assert (mailbox.refresh_secret, mailbox.access_secret) == ("", "")


def test_a_renewal_under_way_does_not_overwrite_a_new_consent(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = oauth._ask
    anew = secrets.sealed("refresh-of-the-new-consent")

    def consented_meanwhile(*asked: Any) -> oauth.Tokens:
        Mailbox.objects.filter(pk=mailbox.pk).update(refresh_secret=anew)
        return real(*asked)

    monkeypatch.setattr(oauth, "_ask", consented_meanwhile)
    oauth.access_of(mailbox, at=NOW + timedelta(hours=2))
    mailbox.refresh_from_db()
    assert (mailbox.refresh_secret, mailbox.renewing_until) == (anew, None)

"""Inboxes from their connection to their removal: a mailbox read by IMAP, or a webhook."""

import hashlib
import hmac
import secrets
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction

from relance.accounts.models import Organisation, User
from relance.history.services import Fact, append
from relance.outbox.inbound.imap import InboxError, connected
from relance.outbox.models import Inbox
from relance.outbox.secrets import renewed, sealed

STAYS = ("host", "port", "security", "username")


class CareError(Exception):
    """It could not be done; `code`: PASSWORD_NEEDED."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Trial(NamedTuple):
    """How connecting went: `code` is empty when it works (then `mails` are in the folder), else
    as in InboxError with what the server answered.
    """

    code: str = ""
    answer: str = ""
    mails: int = 0


class Deed(NamedTuple):
    """Who did it and when; `actor` None is the operator at the command line."""

    actor: User | None
    on: date
    now: datetime


@transaction.atomic
def save(inbox: Inbox, *, password: str | None, deed: Deed) -> Inbox:
    """Store a new or changed inbox; it is read once a trial has succeeded.

    `password` None keeps the one stored: whoever changes where it would be sent types it anew
    (CareError PASSWORD_NEEDED). Another folder or server is read from its present end on.
    """
    before = Inbox.objects.select_for_update().filter(pk=inbox.pk).first()
    changed = [name for name in STAYS if getattr(before, name, None) != getattr(inbox, name)]
    if before and before.secret and password is None and changed:
        raise CareError("PASSWORD_NEEDED")
    if password is not None:
        inbox.secret = sealed(password)
    moved = bool(changed) or getattr(before, "folder", None) != inbox.folder
    if moved:
        inbox.uid_validity, inbox.last_uid = None, 0
    if moved or password is not None:
        inbox.checked_at, inbox.check_error = None, ""
        inbox.failures, inbox.paused_until = 0, None
    inbox.save()
    _tell(inbox, "inbox_saved", deed)
    return inbox


def try_out(inbox: Inbox, *, now: datetime) -> Trial:
    """Connect for real and open the folder; when it works, what arrives from now on is read."""
    try:
        with connected(inbox) as line:
            found = line.opened
            last = found.next_uid - 1 if found.next_uid else max(line.after(0), default=0)
    except InboxError as error:
        Inbox.objects.filter(pk=inbox.pk).update(check_error=str(error)[:500])
        inbox.check_error = str(error)[:500]
        return Trial(error.code, error.answer)
    Inbox.objects.filter(pk=inbox.pk).update(
        checked_at=now, check_error="", failures=0, paused_until=None
    )
    Inbox.objects.filter(pk=inbox.pk, uid_validity=None).update(
        uid_validity=found.validity, last_uid=last
    )
    inbox.refresh_from_db()
    return Trial(mails=found.mails)


@transaction.atomic
def open_webhook(organisation: Organisation | None, *, deed: Deed) -> tuple[Inbox, str]:
    """A new way in for a provider's webhook; its token is told here and never again.

    The one of before, if any, is shut.
    """
    known = Inbox.objects.filter(organisation=organisation, retired_at=None).exclude(token_hash="")
    known.update(retired_at=deed.now, token_hash="")
    token = secrets.token_urlsafe(32)
    inbox = Inbox.objects.create(
        organisation=organisation, token_hash=_hash(token), checked_at=deed.now
    )
    _tell(inbox, "webhook_opened", deed)
    return inbox, token


def webhook_of(token: str) -> Inbox | None:
    """The inbox that this token opens; the comparison takes the same time for every wrong one."""
    wanted = _hash(token)
    inbox = Inbox.objects.filter(token_hash=wanted, retired_at=None).first()
    if inbox is None or not hmac.compare_digest(inbox.token_hash, wanted):
        return None
    return inbox


@transaction.atomic
def retire(inbox: Inbox, *, deed: Deed) -> None:
    """Read it no more, and forget its password or its token; what came in stays."""
    Inbox.objects.filter(pk=inbox.pk).update(
        retired_at=deed.now, secret="", token_hash="", paused_until=None
    )
    _tell(inbox, "inbox_removed", deed)


def rekey() -> int:
    """Encrypt every password under the present key; how many. Raises SecretLostError."""
    done = 0
    for pk, secret in Inbox.objects.exclude(secret="").values_list("pk", "secret"):
        done += Inbox.objects.filter(pk=pk, secret=secret).update(secret=renewed(secret))
    return done


def _hash(token: str) -> str:
    """Tokens are 256 random bits: no salt and no slow hash are needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _tell(inbox: Inbox, kind: str, deed: Deed) -> None:
    """The dossier's journal learns which and where; the installation's own has no journal."""
    if inbox.organisation is None:
        return
    data = {"address": inbox.address, "host": inbox.host, "folder": inbox.folder}
    append(inbox.organisation, [Fact(kind, deed.now, deed.on, data=data, actor=deed.actor)])

"""Mailboxes from their connection to their removal, and what happens while one does not work."""

from datetime import date, datetime, timedelta
from email.utils import format_datetime, make_msgid

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F

from relance.accounts.models import Organisation, User
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox import mailboxes, oauth
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.check import Trial, check, fault_of
from relance.outbox.channels.email.mime import Envelope, letter_of
from relance.outbox.models import WAITING, Mailbox, Message, Status
from relance.outbox.secrets import renewed, sealed

PAUSES = [
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
]
"""How long a mailbox is left alone after its first failure, its second…; login is tried no
oftener, for a provider that is asked with a wrong password again and again closes the account."""
STAYS = ("address", "host", "port", "security", "username")


class MailboxError(Exception):
    """It could not be done; `code`: ADDRESS_TAKEN, PASSWORD_NEEDED, NOT_CHECKED, LEAVING."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@transaction.atomic
def save(
    mailbox: Mailbox, *, password: str | None, actor: User, on: date, now: datetime
) -> Mailbox:
    """Store a new or changed mailbox; it is used once a trial has succeeded.

    `password` None keeps the one stored, which is never told again: so whoever changes where
    it would be sent types it anew (MailboxError PASSWORD_NEEDED). ADDRESS_TAKEN when the
    organisation has another mailbox of that address.
    """
    before = Mailbox.objects.select_for_update().filter(pk=mailbox.pk).first()
    _refuse_taken(mailbox)
    changed = [name for name in STAYS if getattr(before, name, None) != getattr(mailbox, name)]
    if before and _is_secret(before) and password is None and set(changed) - {"address"}:
        raise MailboxError("PASSWORD_NEEDED")
    if password is not None:
        mailbox.secret, mailbox.auth = sealed(password), Mailbox.Auth.PASSWORD
        mailbox.refresh_secret = mailbox.access_secret = ""
    if changed or password is not None:
        mailbox.checked_at, mailbox.check_error = None, ""
        mailbox.failures, mailbox.paused_until = 0, None
    mailbox.save()
    _tell(mailbox, "mailbox_saved", actor=actor, on=on, now=now)
    return mailbox


@transaction.atomic
def consent(
    mailbox: Mailbox, auth: str, tokens: oauth.Tokens, *, actor: User, on: date, now: datetime
) -> Mailbox:
    """Open the mailbox with what a person consented to at Google or Microsoft.

    Its server is the provider's, its login the account that consented, its address (an alias,
    perhaps) the one it had. Used once a trial has succeeded. MailboxError ADDRESS_TAKEN.
    """
    account = tokens.account or mailbox.username or mailbox.address
    mailbox.address = mailbox.address or account
    _refuse_taken(mailbox)
    mailbox.auth, mailbox.host = auth, oauth.providers()[auth].host
    mailbox.port, mailbox.security = 587, Mailbox.Security.STARTTLS
    mailbox.username, mailbox.secret = account, ""
    mailbox.refresh_secret, mailbox.access_secret = sealed(tokens.refresh), sealed(tokens.access)
    mailbox.access_until, mailbox.renewing_until = tokens.until, None
    mailbox.checked_at, mailbox.check_error = None, ""
    mailbox.failures, mailbox.paused_until = 0, None
    mailbox.save()
    _tell(mailbox, "mailbox_saved", actor=actor, on=on, now=now)
    return mailbox


def _is_secret(mailbox: Mailbox) -> bool:
    return bool(mailbox.secret or mailbox.refresh_secret)


def _refuse_taken(mailbox: Mailbox) -> None:
    others = Mailbox.objects.filter(
        organisation_id=mailbox.organisation_id, address__iexact=mailbox.address, retired_at=None
    )
    if others.exclude(pk=mailbox.pk).exists():
        raise MailboxError("ADDRESS_TAKEN")


def try_out(mailbox: Mailbox, *, now: datetime, letter: Envelope | None = None) -> Trial:
    """Connect for real, write down how it went, and let what waited leave when it works."""
    trial = check(mailbox, at=now, letter=letter)
    if trial.code:
        mailbox.check_error = f"{trial.code} {trial.answer}".strip()
        Mailbox.objects.filter(pk=mailbox.pk).update(check_error=mailbox.check_error)
    else:
        works(mailbox, at=now)
    return trial


@transaction.atomic
def make_default(
    organisation: Organisation, mailbox: Mailbox | None, *, actor: User, on: date, now: datetime
) -> None:
    """From now on automatic messages leave from this mailbox, or with None from no mailbox.

    MailboxError NOT_CHECKED when it has never worked, or is a person's own.
    """
    if mailbox and (mailbox.checked_at is None or mailbox.owner_id or mailbox.retired_at):
        raise MailboxError("NOT_CHECKED")
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    Mailbox.objects.filter(organisation=organisation, is_default=True).update(is_default=False)
    if mailbox:
        Mailbox.objects.filter(pk=mailbox.pk).update(is_default=True)
        mailbox.is_default = True
    data = {"address": mailbox.address if mailbox else ""}
    history.append(organisation, [Fact("mailbox_default", now, on, data=data, actor=actor)])


@transaction.atomic
def retire(mailbox: Mailbox, *, actor: User, on: date, now: datetime) -> int:
    """Remove it and forget its password; how many waiting messages now leave from elsewhere.

    They leave from the organisation's sender, replies still going to the same person.
    MailboxError LEAVING while a message is on its way through it.
    """
    if Message.objects.filter(mailbox=mailbox, status=Status.SENDING).exists():
        raise MailboxError("LEAVING")
    Mailbox.objects.filter(pk=mailbox.pk).update(
        retired_at=now,
        secret="",
        refresh_secret="",
        access_secret="",
        is_default=False,
        checked_at=None,
        paused_until=None,
    )
    waiting = Message.objects.filter(mailbox=mailbox).filter(
        status__in=[*WAITING, Status.DRAFT, Status.TO_APPROVE]
    )
    moved = _send_from_elsewhere(mailbox, list(waiting.values_list("pk", flat=True)))
    _tell(mailbox, "mailbox_removed", actor=actor, on=on, now=now)
    return moved


def elsewhere(message: Message) -> dict[str, object]:
    """Fields of a message that leaves again after its mailbox was removed; none otherwise."""
    if message.mailbox is None or message.mailbox.retired_at is None:
        return {}
    sender = mailboxes.automatic_sender(message.organisation)
    return {
        "mailbox": sender.mailbox,
        "sender": sender.sender,
        "reply_to": message.reply_to or message.mailbox.address,
    }


def _send_from_elsewhere(mailbox: Mailbox, message_ids: list[int]) -> int:
    sender = mailboxes.automatic_sender(mailbox.organisation)
    chosen = Message.objects.filter(pk__in=message_ids)
    chosen.filter(reply_to="").update(reply_to=mailbox.address)
    return chosen.update(mailbox=sender.mailbox, sender=sender.sender)


def out_of_reach(mailbox: Mailbox, *, error: DeliveryError, at: datetime) -> None:
    """It could not be used: it rests, each time longer, and what waits for it waits with it."""
    code, answer = fault_of(error.__cause__)
    if error.code and not answer:
        code, answer = "LOGIN_REFUSED", f"{error.code} {error.answer}"
    if code == "LOGIN_REFUSED":  # a token may be withdrawn before its time: ask for another
        Mailbox.objects.filter(pk=mailbox.pk).update(access_until=None)
    until = at + PAUSES[min(mailbox.failures, len(PAUSES) - 1)]
    mailbox.paused_until, mailbox.failures = until, mailbox.failures + 1
    mailbox.check_error = f"{code} {answer}".strip()
    Mailbox.objects.filter(pk=mailbox.pk).update(
        paused_until=until, failures=F("failures") + 1, check_error=mailbox.check_error
    )
    put_off(mailbox.pk, until=until, answer=error.answer)


def put_off(mailbox_id: int, *, until: datetime, answer: str = "", reason: str = "") -> None:
    """Its messages leave at `until` at the earliest; none of them spends a try on it.

    Why is told by the server's `answer`, or by a code of `pace` in `reason`.
    """
    waiting = Message.objects.filter(mailbox_id=mailbox_id, not_before__lt=until).filter(
        status__in=[*WAITING, Status.SENDING], handed_at__isnull=True
    )
    waiting.update(
        not_before=until,
        **({"error": answer} if answer else {}),
        **({"reason": reason} if reason else {}),
    )


def works(mailbox: Mailbox, *, at: datetime) -> None:
    """It has just worked: what was put off because of it may leave at once.

    That is what waits for the very end of its rest; what its own recipient put off keeps its time.
    """
    rests = Mailbox.objects.filter(pk=mailbox.pk).values_list("paused_until", flat=True)
    was_down = bool(mailbox.failures or mailbox.paused_until)
    until = [one for one in {mailbox.paused_until, *rests} if one] if was_down else []
    mailbox.checked_at, mailbox.check_error = at, ""
    mailbox.failures, mailbox.paused_until = 0, None
    Mailbox.objects.filter(pk=mailbox.pk, retired_at=None).update(
        checked_at=at, check_error="", failures=0, paused_until=None
    )
    if until:
        Message.objects.filter(
            mailbox=mailbox, status__in=WAITING, not_before__gt=at, not_before__in=until
        ).update(not_before=at)


def rekey() -> int:
    """Encrypt every password and token under the present key; how many there are.

    Raises SecretLostError on one whose key is gone: its owner must connect it again.
    """
    done = 0
    for name in ("secret", "refresh_secret", "access_secret"):
        for pk, old in Mailbox.objects.exclude(**{name: ""}).values_list("pk", name):
            same = Mailbox.objects.filter(pk=pk, **{name: old})
            done += same.update(**{name: renewed(old)})
    return done


def _tell(mailbox: Mailbox, kind: str, *, actor: User, on: date, now: datetime) -> None:
    """The journal learns which mailbox and where, never its password."""
    data = {
        "address": mailbox.address,
        "host": mailbox.host,
        "own": mailbox.owner_id is not None,
    }
    history.append(mailbox.organisation, [Fact(kind, now, on, data=data, actor=actor)])


def letter_to(mailbox: Mailbox, to: str, *, subject: str, text: str, at: datetime) -> Envelope:
    """A plain message from the mailbox, to try it out."""
    domain = mailbox.address.rpartition("@")[2].encode("idna").decode("ascii")
    mail = EmailMessage(
        subject=subject,
        body=text,
        from_email=mailboxes.mailbox_words(mailbox.name, mailbox.address),
        to=[to],
        headers={
            "Message-ID": make_msgid(domain=domain),
            "Date": format_datetime(at),
            "Auto-Submitted": "auto-generated",
        },
    )
    return letter_of(mail)

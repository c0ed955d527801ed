"""Accounts at providers of letters and SMS: saved, tried, switched on and off; each told."""

import hmac
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from relance.accounts.models import Organisation, User
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox.channels import postal, sms
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.base import AddressError, address_of
from relance.outbox.channels.sms.base import Sms
from relance.outbox.models import (
    POSTED,
    WAITING,
    Message,
    PostalAccount,
    SmsAccount,
)
from relance.outbox.secrets import renewed

Account = PostalAccount | SmsAccount
SALT = "relance.outbox.provider_accounts"


class AccountError(Exception):
    """It could not be done; `code`: NOT_CHECKED, NO_SENDER (no postal address of one's own)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def of(organisation: Organisation) -> tuple[PostalAccount | None, SmsAccount | None]:
    """The two accounts of an organisation."""
    return (
        PostalAccount.objects.filter(organisation=organisation).first(),
        SmsAccount.objects.filter(organisation=organisation).first(),
    )


@transaction.atomic
def save(account: Account, *, actor: User, on: date, now: datetime) -> None:
    """Store a new or changed account: it is to be tried before it is used.

    What is on stays on only when nothing about it was changed.
    """
    account.checked_at, account.check_error, account.active = None, "", False
    account.save()
    _tell(account, "channel_saved", actor, on, now)


def try_postal(account: PostalAccount, *, now: datetime) -> str:
    """Log in without sending anything; what it said. Raises DeliveryError."""
    try:
        said = postal.provider_of(account).check(at=now)
    except DeliveryError as error:
        PostalAccount.objects.filter(pk=account.pk).update(check_error=error.answer[:2000])
        raise
    PostalAccount.objects.filter(pk=account.pk).update(check_error="", checked_at=now)
    return said


def price_of_a_letter(account: PostalAccount, *, now: datetime) -> int | None:
    """Cents before tax of a letter of one page in France; None when the provider is silent."""
    try:
        return postal.provider_of(account).price(
            service=account.service or "normal",
            pages=1,
            colour=account.colour,
            duplex=account.duplex,
            at=now,
        )
    except DeliveryError:
        return None


def try_sms(account: SmsAccount, *, to: str, text: str, now: datetime) -> str:
    """Send one SMS for real, to the number (E.164) of whoever tries; its reference.

    Raises DeliveryError.
    """
    sent = Sms(to=to, text=text, sender=account.sender, key=uuid4().hex)
    try:
        taken = sms.provider_of(account).send(sent, at=now, hand_over=lambda: None)
    except DeliveryError as error:
        SmsAccount.objects.filter(pk=account.pk).update(check_error=error.answer[:2000])
        raise
    SmsAccount.objects.filter(pk=account.pk).update(check_error="", checked_at=now)
    return taken.ref


@transaction.atomic
def switch(account: Account, *, active: bool, actor: User, on: date, now: datetime) -> None:
    """Let messages leave by it, or no more. Raises AccountError.

    What waited to be printed then leaves by the post; switched off, it waits for the printer
    again, and SMS that wait are given back to people when they would have left.
    """
    fresh = type(account)._default_manager.select_for_update().get(pk=account.pk)
    if active and fresh.checked_at is None:
        raise AccountError("NOT_CHECKED")
    if active and isinstance(fresh, PostalAccount):
        organisation = fresh.organisation
        try:
            address_of([organisation.name, *organisation.address.splitlines()])
        except AddressError as fault:
            raise AccountError("NO_SENDER") from fault
    if fresh.active != active:
        fresh.active = active
        fresh.save(update_fields=["active"])
        _tell(fresh, "channel_switched_on" if active else "channel_switched_off", actor, on, now)
    account.active = active


@transaction.atomic
def forget(account: Account, *, actor: User, on: date, now: datetime) -> None:
    """Remove an account with its keys; messages keep what it told about them."""
    _tell(account, "channel_removed", actor, on, now)
    account.delete()


def rekey() -> int:
    """Encrypt every key under the present secret key; how many. Raises SecretLostError."""
    done = 0
    for model in (PostalAccount, SmsAccount):
        rows = model._default_manager.exclude(secrets="")
        for pk, old in rows.values_list("pk", "secrets"):
            done += rows.filter(pk=pk, secrets=old).update(secrets=renewed(old))
    return done


def waiting_letters(organisation: Organisation) -> QuerySet[Message]:
    """The letters that would leave at once by an account switched on."""
    return Message.objects.filter(
        organisation=organisation, channel__in=POSTED, status__in=WAITING, print_run=None
    )


def waiting_sms(organisation: Organisation) -> QuerySet[Message]:
    """The SMS that are on their way."""
    return Message.objects.filter(organisation=organisation, channel="sms", status__in=WAITING)


def call_token(organisation_id: int, kind: str, *, key: str | None = None) -> str:
    """What makes the address that a provider calls back its organisation's, and nobody's guess.

    `key` is the secret key it is made with, the present one by default.
    """
    about = f"{kind}:{organisation_id}"
    return salted_hmac(SALT, about, secret=key, algorithm="sha256").hexdigest()[:40]


def is_call_token(token: str, organisation_id: int, kind: str) -> bool:
    """Compared in constant time; those made with a key of before are good as long as it is kept."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    known = [call_token(organisation_id, kind, key=key) for key in keys]
    return any(hmac.compare_digest(token, one) for one in known)


def _tell(account: Account, kind: str, actor: User, on: date, now: datetime) -> None:
    data: Mapping[str, Any] = {
        "channel": "sms" if isinstance(account, SmsAccount) else "letter",
        "provider": account.provider,
    }
    fact = Fact(kind, now, on, None, data=dict(data), actor=actor)
    history.append(account.organisation, [fact])

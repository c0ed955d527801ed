"""From a stored account to the provider that it opens."""

import json

from django.conf import settings

from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.sms.base import SmsProvider
from relance.outbox.channels.sms.fake import FakeSms
from relance.outbox.channels.sms.generic import GenericSms, Recipe
from relance.outbox.provider_models import SmsAccount
from relance.outbox.secrets import SecretLostError, opened, sealed

FAKE, HTTP = "fake", "http"
PROVIDERS = (HTTP, FAKE)


def provider_of(account: SmsAccount) -> SmsProvider:
    """The provider of an account; a demonstration sends nothing. Raises DeliveryError."""
    if settings.DEMO or account.provider == FAKE:
        return FakeSms(account.organisation_id)
    return generic(account)


def generic(account: SmsAccount) -> GenericSms:
    """The one spoken to by recipe. Raises DeliveryError when its secrets cannot be read."""
    headers, body = secrets_of(account)
    recipe = Recipe.of({**account.recipe, "url": account.url})
    return GenericSms(recipe, headers=headers, body=body)


def secrets_of(account: SmsAccount) -> tuple[str, str]:
    """Headers and body, in clear. Raises DeliveryError when the key was lost."""
    try:
        found = json.loads(opened(account.secrets) or "{}")
    except SecretLostError as lost:
        raise DeliveryError("the installation's key has changed", unreachable=True) from lost
    return found.get("headers", ""), found.get("body", "")


def with_secrets(account: SmsAccount, *, headers: str, body: str) -> None:
    """Put these into the account, encrypted. Not saved."""
    account.secrets = sealed(json.dumps({"headers": headers, "body": body}))

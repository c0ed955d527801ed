"""From a stored account to the provider that it opens."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.base import PostalProvider
from relance.outbox.channels.postal.fake import FakePostal
from relance.outbox.channels.postal.merci_facteur import Keys, MerciFacteur
from relance.outbox.provider_models import PostalAccount
from relance.outbox.secrets import SecretLostError, opened, sealed

FAKE, MERCI_FACTEUR = "fake", "merci_facteur"
PROVIDERS = (MERCI_FACTEUR, FAKE)
SERVICE_ID, SECRET_KEY, USER_ID, HOOK_KEY = "service_id", "secret_key", "user_id", "hook_key"


def provider_of(account: PostalAccount) -> PostalProvider:
    """The provider of an account; a demonstration posts nothing. Raises DeliveryError."""
    if settings.DEMO or account.provider == FAKE:
        return FakePostal(account.organisation_id)
    known = secrets_of(account)
    try:
        keys = Keys(known[SERVICE_ID], known[SECRET_KEY], int(known[USER_ID]))
    except (KeyError, ValueError) as missing:
        raise DeliveryError(f"account: {missing}", unreachable=True) from missing
    until = known.get("token_until")
    return MerciFacteur(
        keys,
        token=known.get("token", ""),
        token_until=datetime.fromisoformat(until) if until else None,
        keep=lambda token, last: _keep(account.pk, token, last),
    )


def secrets_of(account: PostalAccount) -> dict[str, Any]:
    """What is known of an account, in clear. Raises DeliveryError when the key was lost."""
    try:
        found: dict[str, Any] = json.loads(opened(account.secrets) or "{}")
    except SecretLostError as lost:
        raise DeliveryError("the installation's key has changed", unreachable=True) from lost
    return found


def with_secrets(account: PostalAccount, **values: str) -> None:
    """Put these into the account, encrypted; the others stay. Not saved."""
    try:
        known = secrets_of(account)
    except DeliveryError:
        known = {}
    account.secrets = sealed(json.dumps({**known, **values}))


def _keep(pk: int, token: str, until: datetime) -> None:
    """A token lasts a day and is asked for once a day: all processes share it."""
    account = PostalAccount.objects.filter(pk=pk).first()
    if account:
        before = account.secrets
        with_secrets(account, token=token, token_until=until.isoformat())
        PostalAccount.objects.filter(pk=pk, secrets=before).update(secrets=account.secrets)

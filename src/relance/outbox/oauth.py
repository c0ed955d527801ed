"""Mailboxes opened by consent instead of a password: Google and Microsoft 365 (RFC 6749, 7636).

The installation is known to a provider by a client id and secret; a person consents there, and
the mailbox keeps two tokens, encrypted: one that is asked for every hour (access), one that asks
for it (refresh). What the texts of the protocol are is left to oauthlib.
"""

import base64
import json
import secrets
from datetime import datetime, timedelta
from time import sleep
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Q
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient

from relance.outbox import http
from relance.outbox.models import Mailbox
from relance.outbox.secrets import opened, sealed

ANSWER_SECONDS = 15.0
LEASE = timedelta(seconds=30)
"""Longer than a provider may take to answer: then another worker may ask in its place."""
MARGIN = timedelta(minutes=2)
"""An access that ends sooner is renewed before it is used: a batch may last so long."""
WAITS, WAIT_SECONDS = 80, 0.25


class TokenError(Exception):
    """No access to the mailbox; `answer` is the provider's own word.

    `code`: CONSENT_REVOKED (somebody must consent again), OAUTH_OFF (the installation has no
    client any more), OAUTH_REFUSED (the provider does not know it), OAUTH_SILENT (try later).
    """

    def __init__(self, code: str, answer: str = "") -> None:
        super().__init__(f"{code} {answer}".strip())
        self.code, self.answer = code, answer


class Provider(NamedTuple):
    """Where one consents, where tokens come from, and the server that takes them."""

    name: str
    authorize: str
    token: str
    scope: str
    host: str
    extra: dict[str, str]


class Started(NamedTuple):
    """A consent on its way: the page of the provider, and what its answer is checked against."""

    url: str
    state: str
    verifier: str


class Tokens(NamedTuple):
    """What a consent gives; `account` is the address that consented, "" when not told."""

    access: str
    refresh: str
    until: datetime
    account: str


def providers() -> dict[str, Provider]:
    """Those that exist, by the value of `Mailbox.auth`; `configured` says which may be used."""
    microsoft = f"https://login.microsoftonline.com/{settings.OAUTH_MICROSOFT_TENANT}/oauth2/v2.0"
    return {
        Mailbox.Auth.GOOGLE: Provider(
            "Google",
            "https://accounts.google.com/o/oauth2/v2/auth",
            "https://oauth2.googleapis.com/token",
            "https://mail.google.com/ openid email",
            "smtp.gmail.com",
            {"access_type": "offline", "prompt": "consent"},
        ),
        Mailbox.Auth.MICROSOFT: Provider(
            "Microsoft 365",
            f"{microsoft}/authorize",
            f"{microsoft}/token",
            "https://outlook.office.com/SMTP.Send offline_access openid email profile",
            "smtp.office365.com",
            {"prompt": "select_account"},
        ),
    }


def configured(key: str) -> bool:
    """True when the installation has a client id and secret at this provider."""
    return all(settings.OAUTH_CLIENTS.get(key, ("", "")))


def begin(key: str, *, back: str, hint: str = "") -> Started:
    """A consent to be asked for at the provider `key`, which answers at the address `back`.

    Raises TokenError OAUTH_OFF.
    """
    provider, client = providers()[key], _client(key)
    state, verifier = secrets.token_urlsafe(24), client.create_code_verifier(64)
    extra = {**provider.extra, **({"login_hint": hint} if hint else {})}
    url = client.prepare_request_uri(
        provider.authorize,
        redirect_uri=back,
        scope=provider.scope,
        state=state,
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        **extra,
    )
    return Started(url, state, verifier)


def finish(key: str, *, code: str, verifier: str, back: str, now: datetime) -> Tokens:
    """The tokens for the code that the provider gave. Raises TokenError."""
    body = _client(key).prepare_request_body(
        code=code,
        redirect_uri=back,
        code_verifier=verifier,
        client_secret=settings.OAUTH_CLIENTS[key][1],
    )
    tokens = _ask(key, body, now)
    if not tokens.refresh:
        raise TokenError("OAUTH_REFUSED", "no refresh_token")
    return tokens


def access_of(mailbox: Mailbox, *, at: datetime) -> str:
    """A token that opens the mailbox at `at`, renewed when need be by one worker alone.

    The others wait for it: some providers give a new refresh token each time and refuse the old.
    Nothing is locked in the database while the provider is asked. Raises TokenError,
    SecretLostError.
    """
    for _turn in range(WAITS):
        held = Mailbox.objects.only("access_secret", "access_until", "refresh_secret", "auth").get(
            pk=mailbox.pk
        )
        if held.access_secret and held.access_until and held.access_until > at + MARGIN:
            return opened(held.access_secret)
        mine = Mailbox.objects.filter(pk=mailbox.pk).filter(
            Q(renewing_until=None) | Q(renewing_until__lte=at)
        )
        if mine.update(renewing_until=at + LEASE):
            return _renew(mailbox.pk, at)
        sleep(WAIT_SECONDS)
    raise TokenError("OAUTH_SILENT", "another worker is asking")


def _renew(pk: int, at: datetime) -> str:
    """Ask for the next access and keep it; the turn is given back whatever happens.

    Nothing is kept in a mailbox that was consented to anew, or removed, in the meantime.
    """
    mine = Mailbox.objects.filter(pk=pk)
    try:
        held = Mailbox.objects.get(pk=pk)
        if held.access_secret and held.access_until and held.access_until > at + MARGIN:
            return opened(held.access_secret)  # somebody did between the look and the turn
        refresh = opened(held.refresh_secret)
        if not refresh:
            raise TokenError("CONSENT_REVOKED")
        body = _client(held.auth).prepare_refresh_body(
            refresh_token=refresh,
            client_id=settings.OAUTH_CLIENTS[held.auth][0],
            client_secret=settings.OAUTH_CLIENTS[held.auth][1],
        )
        tokens = _ask(held.auth, body, at)
        changes = {"access_secret": sealed(tokens.access), "access_until": tokens.until}
        if tokens.refresh:
            changes["refresh_secret"] = sealed(tokens.refresh)
        mine.filter(refresh_secret=held.refresh_secret, retired_at=None).update(**changes)
        return tokens.access
    finally:
        mine.update(renewing_until=None)


def _ask(key: str, body: str, now: datetime) -> Tokens:
    """One question to the token endpoint; every failure as TokenError."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        answer = http.call(
            "POST",
            providers()[key].token,
            headers=headers,
            body=body.encode("ascii"),
            seconds=ANSWER_SECONDS,
        )
    except http.CallError as fault:
        raise TokenError("OAUTH_SILENT") from fault
    if answer.status == 429 or answer.status >= 500:
        raise TokenError("OAUTH_SILENT", str(answer.status))
    try:
        given = _client(key).parse_request_body_response(answer.body.decode("utf-8", "replace"))
    except OAuth2Error as refusal:
        code = "CONSENT_REVOKED" if refusal.error == "invalid_grant" else "OAUTH_REFUSED"
        raise TokenError(code, str(refusal.error or "")[:100]) from refusal
    seconds = given.get("expires_in")
    lasting = timedelta(seconds=int(seconds) if isinstance(seconds, int | float) else 3600)
    return Tokens(
        str(given["access_token"]),
        str(given.get("refresh_token") or ""),
        now + lasting,
        _account(str(given.get("id_token") or "")),
    )


def _account(id_token: str) -> str:
    """The address in an ID token, which came from the provider itself over TLS (OIDC 3.1.3.7)."""
    try:
        part = id_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return str(claims.get("email") or claims.get("preferred_username") or "")
    except (IndexError, ValueError, AttributeError):
        return ""


def _client(key: str) -> Any:
    if not configured(key):
        raise TokenError("OAUTH_OFF")
    return WebApplicationClient(settings.OAUTH_CLIENTS[key][0])

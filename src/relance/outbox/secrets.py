"""Passwords of mailboxes at rest: encrypted with a key derived from the installation's own.

Whoever has the database without the secret key reads none of them. Rotation follows Django's:
the new key in SECRET_KEY, those of before in SECRET_KEY_FALLBACKS, then `renewed` for each.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"relance.outbox.secrets"


class SecretLostError(Exception):
    """It was encrypted with a key that this installation does not have any more."""


def sealed(secret: str) -> str:
    """The secret, encrypted with the present key; an empty one stays empty."""
    return _keys().encrypt(secret.encode()).decode() if secret else ""


def opened(token: str) -> str:
    """What was sealed, with the present key or one of before. Raises SecretLostError."""
    if not token:
        return ""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as lost:
        raise SecretLostError from lost


def renewed(token: str) -> str:
    """The same secret under the present key. Raises SecretLostError."""
    if not token:
        return ""
    try:
        return _keys().rotate(token.encode()).decode()
    except InvalidToken as lost:
        raise SecretLostError from lost


def _keys() -> MultiFernet:
    return MultiFernet([_key(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(source: str) -> Fernet:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE)
    return Fernet(base64.urlsafe_b64encode(derived.derive(source.encode())))

"""The address of a dossier: what is sent to it is the dossier's, whoever sends it."""

import re
import secrets
from collections.abc import Iterable

from django.conf import settings
from django.db import IntegrityError, transaction

from relance.accounts.models import Organisation

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike: people type addresses from paper."""
KEY_LENGTH = 14
_KEY = re.compile(r"[a-z0-9]{8,24}")


def own_address(organisation: Organisation) -> str:
    """`collect+<key>@…` or `<key>@…`; "" when the installation receives no mail.

    The key cannot be guessed (68 bits) and is made when it is first asked for.
    """
    base = settings.INBOUND_ADDRESS
    if not base:
        return ""
    return _address(base, organisation.inbound_key or _new_key(organisation))


def organisation_of(addresses: Iterable[str]) -> Organisation | None:
    """Whose address one of these is; None when of nobody."""
    base = settings.INBOUND_ADDRESS.lower()
    if not base:
        return None
    keys = [key for one in addresses if (key := _key_of(base, one.lower()))]
    if not keys:
        return None
    return Organisation.objects.filter(inbound_key__in=keys[:50]).order_by("pk").first()


def _address(base: str, key: str) -> str:
    local, _at, domain = base.rpartition("@")
    return f"{local}+{key}@{domain}" if local else f"{key}@{domain}"


def _key_of(base: str, address: str) -> str:
    local, _at, domain = address.rpartition("@")
    stem, _at, home = base.rpartition("@")
    if domain != home:
        return ""
    if stem:
        before, plus, local = local.partition("+")
        if before != stem or not plus:
            return ""
    return local if _KEY.fullmatch(local) else ""


def _new_key(organisation: Organisation) -> str:
    for _try in range(5):
        key = "".join(secrets.choice(LETTERS) for _letter in range(KEY_LENGTH))
        try:
            with transaction.atomic():
                Organisation.objects.filter(pk=organisation.pk, inbound_key="").update(
                    inbound_key=key
                )
        except IntegrityError:
            continue
        organisation.refresh_from_db(fields=["inbound_key"])
        return organisation.inbound_key
    raise RuntimeError("no free key")

"""Files of the organisation's own that go with its messages: terms of sale, a RIB, a form.

A file is kept once and never changed: messages point to the stored file, however many take it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, Protocol

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.formats.document_kind import document_kind
from relance.formats.faults import Fault as FileFault
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox.channels.letter.typeset import compiled
from relance.outbox.models import Message, MessageFile, OwnFile

MOST_BYTES = 3_000_000
"""Of one file: three of them still leave room for the mail around them."""
MOST_TOGETHER = 5_000_000
"""Of the files of one template."""


RIB_NAME = "RIB.pdf"


class FileRefusedError(Exception):
    """It is not kept; `code`: TOO_HEAVY, EMPTY, KIND (not a PDF or picture), DAMAGED."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Enclosing(Protocol):
    """A draft, as far as its files go: those kept already, and those made for it alone."""

    @property
    def enclosed(self) -> Sequence[OwnFile]: ...

    @property
    def files(self) -> Sequence[Any]: ...


_CODES = {
    "empty_file": "EMPTY",
    "document_too_large": "TOO_HEAVY",
    "image_too_large": "TOO_HEAVY",
    "document_kind": "KIND",
    "document_damaged": "DAMAGED",
}


def offered(organisation: Organisation) -> QuerySet[OwnFile]:
    """Those that may be ticked, by name; made RIBs are not among them."""
    mine = OwnFile.objects.filter(organisation=organisation, retired_at=None, made_from="")
    return mine.order_by("name", "pk")


@transaction.atomic
def add(
    organisation: Organisation, *, name: str, raw: bytes, actor: User, on: date, now: datetime
) -> OwnFile:
    """Keep a file, whose content decides what it is: PDF, JPEG or PNG, 3 MB at most.

    The same bytes under the same name are kept once. Raises FileRefusedError.
    """
    if len(raw) > MOST_BYTES:
        raise FileRefusedError("TOO_HEAVY")
    kind = document_kind(raw)
    if isinstance(kind, FileFault):
        raise FileRefusedError(_CODES.get(kind.code, "KIND"))
    if kind.extension not in ("pdf", "jpg", "png"):
        raise FileRefusedError("KIND")
    stem = " ".join(PurePath(name.replace("\\", "/")).stem.split()) or _("fichier")
    shown = f"{stem[:100]}.{kind.extension}"
    digest = hashlib.sha256(raw).hexdigest()
    known = offered(organisation).filter(sha256=digest, name=shown).first()
    if known:
        return known
    kept = _keep(organisation, shown, kind.mime, raw, now, added_by=actor)
    _tell("own_file_added", kept, actor=actor, on=on, now=now)
    return kept


@transaction.atomic
def retire(own: OwnFile, *, actor: User, on: date, now: datetime) -> None:
    """Offer it no more; messages that took it keep it."""
    if OwnFile.objects.filter(pk=own.pk, retired_at=None).update(retired_at=now):
        _tell("own_file_retired", own, actor=actor, on=on, now=now)


def rib_of(organisation: Organisation, *, now: datetime) -> OwnFile | None:
    """The RIB as a PDF of one page, made again when the account changes; None without an IBAN."""
    if not organisation.iban:
        return None
    facts = {
        "name": organisation.name,
        "address": organisation.address,
        "iban": organisation.iban,
        "bic": organisation.bic,
        "words": [_("Relevé d’identité bancaire"), _("Titulaire"), _("IBAN"), _("BIC")],
    }
    made_from = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()
    known = OwnFile.objects.filter(organisation=organisation, made_from=made_from).first()
    if known:
        return known
    pdf, _compiler = compiled("rib.typ", facts, at=now)
    return _keep(organisation, RIB_NAME, "application/pdf", pdf, now, made_from=made_from)


def enclose(drafts: Iterable[Enclosing], messages: Iterable[Message]) -> None:
    """Let the messages of drafts take their files; own ones point to the file stored once."""
    pairs = list(zip(drafts, messages, strict=True))
    for draft, message in pairs:
        for one in draft.files:
            MessageFile.objects.create(
                organisation_id=message.organisation_id,
                message=message,
                name=one.name,
                mime=one.mime,
                file=ContentFile(one.content, one.name),
            )
    MessageFile.objects.bulk_create(
        MessageFile(
            organisation_id=message.organisation_id,
            message=message,
            name=own.name,
            mime=own.mime,
            file=own.file.name,
        )
        for draft, message in pairs
        for own in draft.enclosed
    )


def _keep(
    organisation: Organisation, name: str, mime: str, raw: bytes, now: datetime, **more: Any
) -> OwnFile:
    return OwnFile.objects.create(
        organisation=organisation,
        name=name,
        mime=mime,
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        file=ContentFile(raw, get_valid_filename(name)),
        added_at=now,
        **more,
    )


def _tell(kind: str, own: OwnFile, *, actor: User, on: date, now: datetime) -> None:
    data = {"name": own.name, "size": own.size, "sha256": own.sha256}
    history.append(own.organisation, [Fact(kind, now, on, data=data, actor=actor)])

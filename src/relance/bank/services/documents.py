"""A document comes in: its content decides what it is, its hash whether it is new, and what it says
is proposed."""

import hashlib
from datetime import date, datetime
from typing import Any, NamedTuple

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.bank.models import Document, Link
from relance.bank.reading import read_document
from relance.bank.services.errors import BankRefused
from relance.bank.services.state import renew, renew_documents
from relance.formats.document_kind import document_kind
from relance.formats.faults import Fault
from relance.history.services import Fact, append


class Stored(NamedTuple):
    """`known`: the same content was there already, and is what one gets."""

    document: Document
    known: bool


def store_document(
    *,
    organisation: Organisation,
    raw: bytes,
    filename: str,
    on: date,
    now: datetime,
    source: str = Document.Source.UPLOAD,
    actor: User | None = None,
    sent_by: str = "",
) -> Stored:
    """Keep a document unchanged. BankRefused with a sentence when it is none that one may keep."""
    kind = document_kind(raw)
    if isinstance(kind, Fault):
        raise BankRefused(kind.message, kind.code)
    digest = hashlib.sha256(raw).hexdigest()
    known = Document.objects.filter(organisation=organisation, sha256=digest).first()
    if known is not None:
        return Stored(known, True)
    said = read_document(raw, kind.mime)
    document = Document(
        organisation=organisation,
        filename=clean_name(filename, kind.extension),
        sha256=digest,
        mime=kind.mime,
        size=len(raw),
        source=source,
        sent_by=sent_by[:200],
        made_by=actor,
        received_at=now,
        read_from=said.source,
        on=said.fields.on,
        amount_cents=said.fields.amount,
        left_cents=abs(said.fields.amount) if said.fields.amount is not None else None,
        vat_cents=said.fields.vat,
        currency=said.fields.currency,
        supplier=said.fields.supplier[:140],
        number=said.fields.number[:80],
    )
    name = f"{organisation.pk}/{digest[:32]}.{kind.extension}"
    try:
        with transaction.atomic():
            document.file.save(name, ContentFile(raw), save=False)
            document.save()
            data = {"file": document.filename, "from": document.sent_by, "source": source}
            append(organisation, [Fact("document_received", now, on, data=data, actor=actor)])
    except IntegrityError:  # the same photograph sent twice at the same moment
        return Stored(Document.objects.get(organisation=organisation, sha256=digest), True)
    return Stored(document, False)


def clean_name(filename: str, extension: str) -> str:
    """A name without path or control characters, ending as its content says."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    plain = " ".join("".join(c for c in last if c.isprintable()).split())
    stem = plain.rpartition(".")[0] or plain or "justificatif"
    return f"{stem[:180]}.{extension}"


@transaction.atomic
def describe(document: Document, *, actor: User, **values: Any) -> Document:
    """What a person reads on it: amount_cents, vat_cents, on, supplier, number, currency."""
    locked = Document.objects.select_for_update().get(pk=document.pk)
    for name in ("amount_cents", "vat_cents", "on", "supplier", "number", "currency"):
        if name in values:
            setattr(locked, name, values[name])
    locked.read_from = "hand"
    locked.save()
    renew_documents([locked.pk])
    locked.refresh_from_db()
    return locked


def duplicates_of(document: Document) -> list[Document]:
    """Other documents that say the same: number and supplier, or amount, date and supplier.

    The very same content is never kept twice; these are two scans or photographs of one paper.
    """
    others = Document.objects.filter(organisation=document.organisation).exclude(pk=document.pk)
    if document.amount_cents is None:
        return []
    same = others.filter(amount_cents=document.amount_cents, currency=document.currency)
    told = Q(number=document.number) if document.number else Q(pk__in=[])
    if document.on is not None:
        told |= Q(on=document.on, supplier__iexact=document.supplier)
    return list(same.filter(told).order_by("received_at", "id")[:5])


@transaction.atomic
def remove(document: Document, *, actor: User, on: date, now: datetime) -> None:
    """Take away a document that no transaction holds, such as a duplicate. BankRefused else."""
    locked = Document.objects.select_for_update().get(pk=document.pk)
    if Link.objects.filter(document=locked, confirmed=True).exists():
        raise BankRefused(_("Ce justificatif est associé\u00a0: dissociez-le d’abord."))
    rows = list(Link.objects.filter(document=locked).values_list("transaction_id", flat=True))
    data = {"file": locked.filename, "sha256": locked.sha256}
    append(locked.organisation, [Fact("document_removed", now, on, data=data, actor=actor)])
    name, storage = str(locked.file.name), locked.file.storage
    locked.delete()
    renew(rows)
    transaction.on_commit(lambda: storage.delete(name))

"""Ask a client for his missing receipts: who may be asked, what, and the request that is kept."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _

from relance.accounts.models import BankRole, CollectRole, Membership, Organisation, User
from relance.bank.models import Transaction
from relance.bank.services.errors import BankRefused
from relance.engine import receipts as engine
from relance.engine.model import Reason
from relance.history.services import Fact, append
from relance.outbox.inbound.addresses import own_address
from relance.receipts.doors import open_door
from relance.receipts.mail import Letter, request_letter
from relance.receipts.models import Asked, Request

_COLLECT = dict(zip(CollectRole, engine.COLLECTE_LEVELS, strict=True))
_BANK = dict(zip(BankRole, engine.BANK_LEVELS, strict=True))


class Reader(NamedTuple):
    """A user of the client; `why_not` is empty, or says in French why he cannot be asked."""

    user: User
    eligible: bool
    why_not: str


class Prepared(NamedTuple):
    """What a request would ask, newest first, of whom; `letter` as it would leave."""

    rows: list[Transaction]
    readers: list[Reader]
    letter: Letter | None


def readers(organisation: Organisation) -> list[Reader]:
    """The client's own users, those who may be asked first (S0-12 to S0-15, S0-28).

    The accountants of the firm are not among them: they ask.
    """
    return readers_of_all([organisation.pk])[organisation.pk]


def readers_of_all(organisations: Collection[int]) -> dict[int, list[Reader]]:
    """The same for several dossiers at once, by their key, in one query."""
    found: dict[int, list[Reader]] = {pk: [] for pk in organisations}
    members = (
        Membership.objects.filter(organisation__in=found, user__is_active=True)
        .select_related("user")
        .order_by("user__full_name", "user__email")
    )
    for one in members:
        reader = Reader(one.user, engine.eligible(_level(one)), _why_not(one))
        found[one.organisation_id].append(reader)
    for those in found.values():
        those.sort(key=lambda reader: not reader.eligible)
    return found


def _level(member: Membership) -> engine.Reader:
    return engine.Reader(
        id=member.user_id,
        collecte=_COLLECT[CollectRole(member.collect_role)],
        bank=_BANK[BankRole(member.bank_role)],
        wants_mail=member.wants_receipt_mails,
    )


def _why_not(member: Membership) -> str:
    if member.collect_role < CollectRole.ALL:
        return _("Son accès à la collecte est insuffisant\u00a0: %(role)s.") % {
            "role": CollectRole(member.collect_role).label
        }
    if member.bank_role < BankRole.R2:
        return _("Son accès à la banque est insuffisant\u00a0: %(role)s.") % {
            "role": BankRole(member.bank_role).label
        }
    if not member.wants_receipt_mails:
        return _("Il ne souhaite pas recevoir ces e-mails.")
    return ""


def to_validate(
    organisation: Organisation, first: date | None = None, last: date | None = None
) -> QuerySet[Transaction]:
    """*À valider* over a period, both days included, newest first (S0-04 to S0-09, S0-23)."""
    rows = Transaction.objects.filter(organisation=organisation).exclude(missing="")
    if first is not None:
        rows = rows.filter(booked__gte=first)
    if last is not None:
        rows = rows.filter(booked__lte=last)
    return rows.order_by("-booked", "-id")


def prepare(
    organisation: Organisation,
    rows: Sequence[Transaction],
    *,
    actor: User | None,
    note: str = "",
    url: str = "",
    first: date | None = None,
    last: date | None = None,
) -> Letter:
    """The message about these transactions; the links of a preview (no `url`) open nothing.

    `first` and `last` (local dates) are the period that was chosen, which it names.
    """
    firm = organisation.firm
    return request_letter(
        rows=rows,
        asker=firm.name if firm else organisation.name,
        dossier=organisation.name,
        signature=str(actor) if actor else (firm.name if firm else organisation.name),
        note=note,
        url=url or f"{settings.PUBLIC_URL}/j/exemple",
        filename=workbook_name(organisation),
        by_mail=bool(own_address(organisation)),
        first=first,
        last=last,
    )


def workbook_name(organisation: Organisation) -> str:
    """Of the Excel that goes with a request."""
    return f"justificatifs-{slugify(organisation.name) or organisation.pk}.xlsx"


@database.atomic
def open_request(
    *,
    organisation: Organisation,
    kind: str,
    rows: Sequence[Transaction],
    users: Collection[User],
    on: date,
    now: datetime,
    actor: User | None = None,
    first: date | None = None,
    last: date | None = None,
    note: str = "",
) -> tuple[Request, Letter]:
    """Keep the request and its door; the caller queues the letter in the same transaction.

    BankRefused: nothing is missing (S0-36), or somebody chosen may not receive it (S0-28).
    """
    _require_something(organisation, rows, users)
    request = Request.objects.create(
        organisation=organisation,
        kind=kind,
        on=on,
        first=first,
        last=last,
        note=note[:2000],
        count=len(rows),
        amount_cents=sum(abs(row.amount_cents) for row in rows),
        made_by=actor,
        made_at=now,
    )
    request.users.set(users)
    Asked.objects.bulk_create(
        [Asked(organisation=organisation, request=request, transaction=row) for row in rows],
        batch_size=1000,
    )
    Transaction.objects.filter(pk__in=[row.pk for row in rows]).update(asked_on=on)
    letter = prepare(
        organisation,
        rows,
        actor=actor,
        note=note,
        url=f"{settings.PUBLIC_URL}/j/{open_door(request, now=now)}",
        first=first,
        last=last,
    )
    data = {
        "count": request.count,
        "amount_cents": request.amount_cents,
        "kind": kind,
        "to": [user.email for user in users],
    }
    append(organisation, [Fact("receipts_requested", now, on, data=data, actor=actor)])
    return request, letter


def _require_something(
    organisation: Organisation, rows: Sequence[Transaction], users: Collection[User]
) -> None:
    if not rows:
        raise BankRefused(_("Aucun justificatif ne manque sur cette période."), "NOTHING_MISSING")
    allowed = {reader.user.pk for reader in readers(organisation) if reader.eligible}
    if not users or not {user.pk for user in users} <= allowed:
        raise BankRefused(
            _("Choisissez au moins un destinataire qui peut recevoir cette demande."),
            "NO_ELIGIBLE_RECIPIENT",
        )


def refuse_request(
    *, organisation: Organisation, reason: Reason, on: date, now: datetime, count: int
) -> Request:
    """An automatic request that nobody could receive is kept as an error to be shown (S0-37)."""
    request, _created = Request.objects.get_or_create(
        organisation=organisation,
        kind=Request.Kind.AUTOMATIC,
        on=on,
        defaults={"refusal": reason.code, "count": count, "made_at": now},
    )
    return request

"""What pages about missing receipts read: the request to make, those made, the answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.core.paginator import Page
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.http import QueryDict

from relance.accounts.access import Access, FirmAccess
from relance.accounts.models import CollectRole
from relance.bank.models import Transaction
from relance.outbox.models import Message
from relance.receipts.models import Answer, Asked, Request
from relance.receipts.services.asking import to_validate
from relance.web.queries import bank
from relance.web.queries.paging import page_of

Scope = Access | FirmAccess


@dataclass(frozen=True)
class Wish:
    """What the address asks for: a period (local dates, both included), of one account when it
    names one, or one transaction."""

    first: date | None = None
    last: date | None = None
    operation: int | None = None
    account: int | None = None

    @classmethod
    def read(cls, data: QueryDict) -> "Wish":
        """From `?du=&au=&compte=` or `?operation=`; what is no date or number is as if absent."""
        operation = data.get("operation", "")
        if operation.isdecimal() and len(operation) < 19:
            return cls(operation=int(operation))
        account = data.get("compte", "")
        return cls(
            _day(data.get("du", "")),
            _day(data.get("au", "")),
            account=int(account) if account.isdecimal() and len(account) < 19 else None,
        )

    def rows(self, access: Access) -> QuerySet[Transaction]:
        """The set *À valider* that it means, newest first (S0-23)."""
        rows = to_validate(access.organisation, self.first, self.last)
        if self.account is not None:
            rows = rows.filter(account_id=self.account)
        return rows if self.operation is None else rows.filter(pk=self.operation)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class Totals(NamedTuple):
    """Of the transactions asked about; `sums` adds absolute cents up by currency."""

    number: int
    sums: dict[str, int]
    oldest: date | None
    newest: date | None


def totals(rows: QuerySet[Transaction]) -> Totals:
    """Counted by the database."""
    found = rows.order_by().aggregate(n=Count("pk"), oldest=Min("booked"), newest=Max("booked"))
    return Totals(found["n"], sums(rows), found["oldest"], found["newest"])


def sums(rows: QuerySet[Transaction]) -> dict[str, int]:
    """Absolute cents by currency, in one query."""
    return dict(rows.order_by().values_list("currency").annotate(cents=Sum(Abs("amount_cents"))))


class Made(NamedTuple):
    """A request as lists show it: `settled` of its `count` transactions want nothing any more;
    `sums` are the absolute cents asked about, by currency."""

    request: Request
    settled: int
    answers: int
    message: Message | None
    open: bool
    sums: dict[str, int]

    @property
    def percent(self) -> int:
        """Of what was asked, in percentage points."""
        return round(100 * self.settled / self.request.count) if self.request.count else 0


def requests_page(scope: Scope, number: str | None, *, moment: Any) -> Page[Any]:
    """Requests of a dossier, or of all those of a firm, newest first; each a `Made`."""
    rows = (
        scope.all(Request)
        .select_related("organisation", "made_by", "door")
        .prefetch_related("users")
        .order_by("-made_at", "-pk")
    )
    page = page_of(rows, number)
    page.object_list = made(page.object_list, moment=moment)
    return page


def made(requests: Iterable[Request], *, moment: Any) -> list[Made]:
    """With their state, in four queries however many there are."""
    found = list(requests)
    keys = [one.pk for one in found]
    counts = {
        row["pk"]: row
        for row in Request.objects.filter(pk__in=keys)
        .values("pk")
        .annotate(settled=Count("asked", filter=Q(asked__transaction__missing="")))
    }
    answers = dict(
        Answer.objects.filter(door__request__in=keys)
        .order_by()
        .values_list("door__request_id")
        .annotate(Count("transaction", distinct=True))
    )
    cents: dict[int, dict[str, int]] = {key: {} for key in keys}
    by_currency = (
        Asked.objects.filter(request__in=keys)
        .order_by()
        .values_list("request_id", "transaction__currency")
        .annotate(cents=Sum(Abs("transaction__amount_cents")))
    )
    for key, currency, total in by_currency:
        cents[key][currency] = total
    messages = Message.objects.in_bulk([one.message_id for one in found if one.message_id])
    return [
        Made(
            one,
            counts[one.pk]["settled"],
            answers.get(one.pk, 0),
            messages.get(one.message_id or 0),
            _is_open(one, moment),
            cents[one.pk],
        )
        for one in found
    ]


def _is_open(request: Request, moment: Any) -> bool:
    door = getattr(request, "door", None)
    return bool(door and door.revoked_at is None and door.expires_at > moment)


def asked_of(access: Access, request: Request, number: str | None) -> Page[Any]:
    """The transactions of a request, newest first, each with the latest answer to it, if the
    person may know it."""
    rows = request.asked.select_related("transaction").order_by(
        "-transaction__booked", "-transaction_id"
    )
    page = page_of(rows, number)
    keys = [row.transaction_id for row in page.object_list]
    latest = {
        answer.transaction_id: answer
        for answer in Answer.objects.filter(transaction__in=keys)
        .select_related("document")
        .order_by("at", "pk")
        if hears(access, answer)
    }
    page.object_list = [(row.transaction, latest.get(row.transaction_id)) for row in page]
    return page


def hears(access: Access, answer: Answer) -> bool:
    """Whether the person may know an answer, its note and who gave it (D-22): whoever sees only
    the documents he brought knows only the answers that these are."""
    if access.collect >= CollectRole.ALL:
        return True
    return answer.document is not None and bank.sees(access, answer.document)


def replies(scope: Scope, *, handled: bool = False) -> QuerySet[Answer]:
    """What clients answered, newest first: those to look at, or those looked at; of them those
    that the person `hears`."""
    rows = scope.all(Answer)
    if isinstance(scope, Access) and scope.collect < CollectRole.ALL:
        rows = rows.filter(document__in=bank.visible_documents(scope))
    return (
        rows.filter(handled_at__isnull=not handled)
        .select_related("organisation", "transaction", "document")
        .order_by("-at", "-pk")
    )

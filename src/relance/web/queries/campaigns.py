"""Campaigns as pages show them: the list, who gets what, and what became of each client."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.core.cache import cache
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.dunning.lots import batches, campaigns
from relance.dunning.lots.campaigns import ADDRESS_REASONS, Item
from relance.dunning.models import Batch, BatchLine, Channel
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status
from relance.web import french

PAGE = 50
KEPT_SECONDS = 600
REPAIR_DAYS = 30
"""Failures of older campaigns are history, not work."""

ABOUT: dict[str, Any] = {
    campaigns.NONE: lazy("D’aucune facture"),
    campaigns.LATE: lazy("De ses factures en retard"),
    campaigns.OPEN: lazy("De toutes ses factures non réglées"),
    campaigns.CHOSEN: lazy("Des factures choisies"),
}
STATES: dict[str, tuple[str, Any]] = {
    Batch.Status.DRAFT: ("off", lazy("Brouillon")),
    Batch.Status.SCHEDULED: ("info", lazy("Programmée")),
    Batch.Status.RUNNING: ("auto", lazy("En cours")),
    Batch.Status.DONE: ("done", lazy("Terminée")),
    Batch.Status.CANCELLED: ("paused", lazy("Arrêtée")),
}
_SENTENCES: dict[str, Any] = {
    "EXCLUDED": lazy("Exclu des relances, ou encore à vérifier."),
    "JUDGMENT": lazy("Procédure collective : on ne lui écrit plus ainsi."),
    "CUSTOMER_ON_HOLD": lazy("En attente jusqu’au %(what)s inclus."),
    "NO_INVOICE": lazy("Le texte parle de factures et il n’en a aucune à rappeler."),
    "TWO_CURRENCIES": lazy("Ses factures sont en deux monnaies : écrivez-lui à part."),
    "BALANCE_NOT_POSITIVE": lazy("Ses avoirs couvrent ce qu’il doit."),
    "RECENT_CONTACT": lazy("Déjà contacté le %(what)s."),
    "NO_RECIPIENT": lazy("Aucune adresse e-mail valable."),
    "NO_ADDRESS": lazy("Aucune adresse postale complète."),
    "BAD_ADDRESS": lazy("L’adresse « %(what)s » n’est pas valable."),
    "SAME_ADDRESS": lazy("Même adresse que %(what)s, qui reçoit le message."),
    "ALREADY_QUEUED": lazy("Ce message est déjà en route."),
    "SENDER_GONE": lazy("L’adresse d’envoi choisie n’existe plus."),
    "NO_SENDER": lazy("La personne qui envoyait ne peut plus agir dans ce dossier."),
    "CANCELLED": lazy("Arrêté avant le départ."),
    "SETTLED": lazy("Réglé avant le départ."),
    "CHANGED": lazy("Ce qu’il doit a changé avant le départ."),
    "ERROR": lazy("Une erreur inattendue a arrêté ce message."),
}


def reason_words(code: str, detail: str = "") -> str:
    """Why a client gets nothing, as a sentence; `detail` is a name, an address or an ISO date."""
    try:
        what = french.date_text(date.fromisoformat(detail))
    except ValueError:
        what = detail
    words = str(_SENTENCES.get(code, code))
    return words % {"what": what} if "%(what)s" in words else words


def list_page(access: Access, page: str) -> Page[Any]:
    """Every campaign, the latest first, with its state."""
    found = access.all(Batch).filter(kind=Batch.Kind.CAMPAIGN).select_related("made_by")
    shown = Paginator(found.order_by("-id"), PAGE).get_page(page)
    rows: list[Any] = list(shown.object_list)
    failed = failures([row.pk for row in rows], access)
    for row in rows:
        row.state, row.state_words = STATES.get(row.status, ("off", row.get_status_display()))
        row.many = row.total or len(row.options.get("customers", []))
        row.trouble = failed.get(row.pk, 0)
    shown.object_list = rows
    return shown


def failures(keys: Sequence[int], access: Access) -> dict[int, int]:
    """How many clients of each campaign got nothing for want of a good address."""
    missing = (
        access.all(BatchLine)
        .filter(batch__in=keys, status=BatchLine.Status.REFUSED, reason__in=ADDRESS_REASONS)
        .values_list("batch")
        .annotate(Count("pk"))
        .order_by()
    )
    found: dict[int, int] = dict(missing)
    void = access.all(Message).filter(purpose=Message.Purpose.CAMPAIGN, status__in=campaigns.AGAIN)
    lost = (
        access.all(BatchLine)
        .filter(batch__in=keys, message_id__in=void.values("pk"))
        .values_list("batch")
        .annotate(Count("pk"))
        .order_by()
    )
    for key, count in lost:
        found[key] = found.get(key, 0) + count
    return found


class ToRepair(NamedTuple):
    """A campaign with clients who got nothing: a line of Aujourd'hui."""

    batch: Batch
    clients: int


def to_repair(access: Access, today: date) -> list[ToRepair]:
    """Campaigns of the last days whose failures nobody has seen to, the latest first."""
    since = today - timedelta(days=REPAIR_DAYS)
    recent = list(
        access.all(Batch)
        .filter(
            kind=Batch.Kind.CAMPAIGN,
            status__in=[Batch.Status.DONE, Batch.Status.CANCELLED],
            made_at__date__gte=since,
        )
        .order_by("-id")[:PAGE]
    )
    open_ones = [one for one in recent if "settled" not in one.options]
    counts = failures([one.pk for one in open_ones], access) if open_ones else {}
    return [ToRepair(one, counts[one.pk]) for one in open_ones if counts.get(one.pk)]


@dataclass(frozen=True)
class Group:
    """Clients who get nothing for one reason; the first names, and how many more."""

    code: str
    words: str
    count: int
    items: list[Item]
    details: list[str]
    repair: bool

    @property
    def rows(self) -> list[tuple[Item, str]]:
        """Each client shown, with his own words where they say more."""
        return list(zip(self.items, self.details, strict=True))

    @property
    def more(self) -> int:
        return self.count - len(self.items)


GENERIC: dict[str, Any] = {
    "CUSTOMER_ON_HOLD": lazy("En attente."),
    "RECENT_CONTACT": lazy("Contactés il y a trop peu de jours."),
    "BAD_ADDRESS": lazy("Adresse non valable."),
    "SAME_ADDRESS": lazy("Même adresse qu’un autre client, qui reçoit le message."),
}


def groups(items: Sequence[Item]) -> list[Group]:
    """Those who get nothing, by reason, the most frequent first; twenty of each are named."""
    found = []
    for code, count in campaigns.counts(items).most_common():
        if not code:
            continue
        first = [item for item in items if item.code == code][:20]
        generic = code in GENERIC
        found.append(
            Group(
                code=code,
                words=str(GENERIC[code]) if generic else reason_words(code),
                count=count,
                items=first,
                details=[reason_words(code, one.detail) if generic else "" for one in first],
                repair=code in ADDRESS_REASONS,
            )
        )
    return found


def sums(items: Sequence[Item]) -> str:
    """What the messages ask for in all, per currency."""
    cents: dict[str, int] = {}
    for item in items:
        if item.amount:
            cents[item.currency] = cents.get(item.currency, 0) + item.amount
    return ", ".join(french.money(amount, code) for code, amount in sorted(cents.items()))


def several_at_one_address(items: Sequence[Item]) -> int:
    """How many addresses several clients share, each getting his own message."""
    seen: dict[tuple[str, ...], int] = {}
    for item in items:
        key = tuple(sorted(one.lower() for one in item.to))
        seen[key] = seen.get(key, 0) + 1
    return sum(1 for count in seen.values() if count > 1)


def surveyed(access: Access, batch: Batch, *, on: date, anew: bool) -> list[Item]:
    """Who would get it and who not on `on`; kept while one reads and leafs, unless `anew`.

    What is kept is that of the same words and selection; launching surveys everyone again.
    """
    wish = campaigns.wish_of(batch)
    said = repr((batch.pk, on, batch.subject, batch.body, batch.channel, batch.options))
    key = f"campaign-{access.organisation.pk}-{hashlib.sha256(said.encode()).hexdigest()}"
    known: list[Item] | None = None if anew else cache.get(key)
    if known is None:
        known = campaigns.survey(access.organisation, wish, on=on)
        cache.set(key, known, KEPT_SECONDS)
    return known


def neighbours(access: Access, keys: Sequence[int], at: int) -> tuple[Customer | None, int]:
    """The client number `at` of a selection, by name, and how many there are."""
    rows = access.all(Customer).filter(pk__in=keys).order_by("search", "id")
    count = rows.count()
    if not count:
        return None, 0
    return rows[max(0, min(at, count - 1))], count


# --- one campaign at work -----------------------------------------------------------

TABS: dict[str, Any] = {
    "": lazy("Tous"),
    "partis": lazy("Partis"),
    "route": lazy("En route"),
    "rien": lazy("N’ont rien reçu"),
}
_VOID = [Status.FAILED, Status.BOUNCED, Status.CANCELLED, Status.EXPIRED]


class Result(NamedTuple):
    """What became of one client: kind of the status tag, its words, why."""

    line: BatchLine
    message: Message | None
    kind: str
    words: str
    why: str


def lines_page(access: Access, batch: Batch, tab: str, page: str) -> tuple[Page[Any], list[Result]]:
    """One page of the clients of a campaign, each with what became of his message."""
    shown = Paginator(_lines(access, batch, tab), PAGE).get_page(page)
    lines = list(shown.object_list)
    keys = [line.message_id for line in lines if line.message_id]
    messages = access.all(Message).defer("text", "html", "letter").in_bulk(keys)
    return shown, [_result(line, messages.get(line.message_id or 0)) for line in lines]


def _lines(access: Access, batch: Batch, tab: str) -> QuerySet[BatchLine]:
    lines = access.all(BatchLine).filter(batch=batch).select_related("customer").order_by("id")
    mine = batches.messages_of(batch)
    match tab:
        case "partis":
            return lines.filter(message_id__in=mine.filter(status=Status.SENT).values("pk"))
        case "route":
            void = mine.filter(status__in=[Status.SENT, *_VOID]).values("pk")
            return lines.exclude(status=BatchLine.Status.REFUSED).exclude(
                message_id__isnull=False, message_id__in=void
            )
        case "rien":
            void = mine.filter(status__in=_VOID).values("pk")
            return lines.filter(Q(status=BatchLine.Status.REFUSED) | Q(message_id__in=void))
    return lines


def _result(line: BatchLine, message: Message | None) -> Result:
    if line.status == BatchLine.Status.REFUSED:
        why = reason_words(line.reason, line.detail)
        kind = "error" if line.reason in ADDRESS_REASONS else "off"
        return Result(line, None, kind, _("Rien reçu"), why)
    if message is None:
        return Result(line, None, "info", _("En attente"), "")
    label = str(Status(message.status).label)
    kinds = {Status.SENT: "done", Status.UNCERTAIN: "doubt", Status.CANCELLED: "off"}
    kind = (
        "error" if message.status in campaigns.AGAIN else kinds.get(Status(message.status), "info")
    )
    if message.channel == Channel.LETTER and message.status == Status.QUEUED:
        return Result(line, message, "info", _("À imprimer"), "")
    why = reason_words(message.reason) if message.reason else message.error
    return Result(line, message, kind, label, why)


class Score(NamedTuple):
    """Counts of a campaign at work; they sum to `total`."""

    total: int
    sent: int
    waiting: int
    failed: int
    refused: int

    @property
    def settled(self) -> int:
        """Clients whose message has come to an end."""
        return self.sent + self.failed + self.refused

    @property
    def words(self) -> str:
        parts = [
            _("%(sent)s sur %(all)s partis")
            % {"sent": french.number(self.sent), "all": french.number(self.total - self.refused)}
        ]
        if self.failed:
            parts.append(french.counted(self.failed, _("échec"), _("échecs")))
        if self.refused:
            parts.append(
                french.counted(self.refused, _("client sans envoi"), _("clients sans envoi"))
            )
        return ", ".join(parts)


def score(batch: Batch) -> Score:
    """The lines are counted on the batch, their messages by what became of them."""
    gone = batches.departures(batch)
    waiting = max(0, batch.total - batch.refused - gone.sent - gone.failed)
    return Score(batch.total, gone.sent, waiting, gone.failed, batch.refused)

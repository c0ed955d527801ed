"""One request to several dossiers of a firm: chosen once, then done one dossier after the other.

What was done is written with each dossier, so that a process that dies loses nothing and does
nothing twice; whoever comes next, the worker or the page that shows the progress, goes on.
"""

import logging
from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction as database
from django.db.models import Max
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.access import works_for
from relance.accounts.models import Firm, Organisation, User
from relance.bank.services.errors import BankRefused
from relance.receipts.models import Request, Round, RoundLine
from relance.receipts.services.asking import readers, to_validate
from relance.receipts.services.sending import send_request

log = logging.getLogger(__name__)

AT_ONCE = 10


@database.atomic
def open_round(
    *,
    firm: Firm,
    organisations: Collection[Organisation],
    actor: User,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    note: str = "",
    newest: int | None = None,
) -> Round:
    """Keep what was chosen; nothing leaves yet. BankRefused without any dossier of the firm.

    Also when another round was begun since the page was shown, whose newest was `newest` (its
    id, 0 for none): a double click, a page sent again, or a colleague.
    """
    chosen = [one for one in organisations if one.firm_id == firm.pk]
    Firm.objects.select_for_update().get(pk=firm.pk)
    last_one = Round.objects.filter(firm=firm).order_by("-pk").first()
    if newest is not None and last_one is not None and last_one.pk != newest:
        raise BankRefused(
            _("Une demande groupée a déjà été lancée par %(who)s depuis l’ouverture de la page.")
            % {"who": last_one.made_by or _("quelqu’un")},
            "ALREADY_STARTED",
        )
    if not chosen:
        raise BankRefused(_("Choisissez au moins un dossier."), "NOTHING_CHOSEN")
    made = Round.objects.create(
        firm=firm, first=first, last=last, note=note[:2000], made_by=actor, made_at=now
    )
    seen = dict(
        Request.objects.filter(organisation__in=chosen)
        .order_by()
        .values_list("organisation_id")
        .annotate(Max("pk"))
    )
    RoundLine.objects.bulk_create(
        RoundLine(round=made, organisation=one, seen=seen.get(one.pk, 0)) for one in chosen
    )
    return made


def newest(firm: Firm) -> int:
    """The id of the firm's newest round, 0 without any: a page hands it back to `open_round`."""
    return Round.objects.filter(firm=firm).aggregate(newest=Max("pk"))["newest"] or 0


def advance(round_: Round, *, now: datetime, most: int = AT_ONCE) -> bool:
    """Do at most so many dossiers; True once all are done."""
    waiting = round_.lines.filter(status=RoundLine.Status.WAITING).order_by("pk")
    for pk in list(waiting.values_list("pk", flat=True)[:most]):
        _do(pk, now)
    if waiting.exists():
        return False
    Round.objects.filter(pk=round_.pk, status=Round.Status.RUNNING).update(status=Round.Status.DONE)
    return True


def work(now: datetime) -> None:
    """What a worker does of the rounds that run."""
    for round_ in Round.objects.filter(status=Round.Status.RUNNING).order_by("pk"):
        while not advance(round_, now=now):
            pass


@database.atomic
def _do(pk: int, now: datetime) -> None:
    """One dossier, by one of the processes that may come at once."""
    line = (
        RoundLine.objects.select_for_update(of=("self",))
        .select_related("round__made_by", "organisation__firm")
        .get(pk=pk)
    )
    if line.status != RoundLine.Status.WAITING:
        return
    organisation, round_ = line.organisation, line.round
    line.request = None
    try:
        with database.atomic():
            _allowed(round_, organisation)
            line.request = send_request(
                organisation=organisation,
                kind=Request.Kind.MANUAL,
                rows=list(to_validate(organisation, round_.first, round_.last)),
                users=[one.user for one in readers(organisation) if one.eligible],
                on=clock.local_date(organisation, now),
                now=now,
                actor=round_.made_by,
                first=round_.first,
                last=round_.last,
                note=round_.note,
                seen=line.seen,
            )
        line.status = RoundLine.Status.SENT
    except BankRefused as refusal:
        line.status, line.detail = RoundLine.Status.REFUSED, str(refusal)[:300]
        if refusal.code == "NO_ELIGIBLE_RECIPIENT":
            line.detail = _("Personne ne peut recevoir la demande dans ce dossier.")
    except Exception:  # one dossier that breaks keeps none of the others from theirs
        log.exception("dossier %s of round %s", organisation.pk, round_.pk)
        line.request = None
        line.status = RoundLine.Status.REFUSED
        line.detail = _("Une erreur a empêché l’envoi. Demandez de nouveau pour ce dossier.")
    line.save(update_fields=["status", "detail", "request"])


def _allowed(round_: Round, organisation: Organisation) -> None:
    """Whoever chose still works for the firm, and the firm still follows the dossier."""
    actor = round_.made_by
    if actor is None or not (
        actor.is_active
        and organisation.firm_id == round_.firm_id
        and works_for(actor, organisation)
    ):
        raise BankRefused(
            _("Qui a lancé cette demande n’a plus accès à ce dossier."), "NOT_ALLOWED"
        )


@database.atomic
def stop(round_: Round) -> int:
    """What has not begun does not leave; how many dossiers were spared."""
    Round.objects.filter(pk=round_.pk, status=Round.Status.RUNNING).update(
        status=Round.Status.CANCELLED
    )
    waiting = round_.lines.select_for_update().filter(status=RoundLine.Status.WAITING)
    return waiting.update(status=RoundLine.Status.REFUSED, detail=_("Arrêté avant son tour."))

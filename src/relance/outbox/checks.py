"""Messages that do not go on by themselves, for `relance doctor`."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Min

from relance.accounts.models import Organisation
from relance.outbox.models import WAITING, Message, Status

LONG = timedelta(hours=1)
"""No message takes so long; a worker that lives looks at its queue every second."""


def stuck(organisation: Organisation, at: datetime) -> Iterator[str]:
    """One French sentence per fault: on its way for an hour, or gone without its entries."""
    mine = Message.objects.filter(organisation=organisation)
    leaving = mine.filter(status=Status.SENDING, claimed_at__lt=at - LONG).order_by("pk")
    for pk, worker, *signs in leaving.values_list(
        "pk", "claimed_by", "claimed_at", "handed_at", "sent_at"
    ):
        last = max(sign for sign in signs if sign)
        if last < at - LONG:
            yield f"message {pk} : en départ depuis {last:%Y-%m-%d %H:%M} UTC chez {worker}"
    unwritten = mine.filter(status=Status.SENT, recorded=False, ended_at__lt=at - LONG)
    for pk in unwritten.order_by("pk").values_list("pk", flat=True):
        yield f"message {pk} : parti, mais absent de l’historique et des niveaux"


def remarks(organisation: Organisation, at: datetime) -> Iterator[str]:
    """What is no fault but waits for a person: uncertain messages, a queue that nobody works."""
    mine = Message.objects.filter(organisation=organisation)
    uncertain = mine.filter(status=Status.UNCERTAIN).count()
    if uncertain:
        yield f"{uncertain} envois incertains attendent qu’une personne les tranche"
    due = mine.filter(status__in=WAITING, channel="email", not_before__lt=at - LONG)
    oldest = due.aggregate(oldest=Min("not_before"))["oldest"]
    if oldest:
        yield (
            f"{due.count()} messages dus attendent, le plus ancien depuis {oldest:%Y-%m-%d %H:%M}"
            " UTC : un worker tourne-t-il ? le serveur de messagerie répond-il ?"
        )

"""Dossiers gathered in the background: taken by one builder, with signs of life, kept as a file.

A builder that dies is replaced after a while, from the beginning: nothing is kept of half a file.
"""

import hashlib
import logging
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import BinaryIO
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.core.files import File
from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts import clock
from relance.dunning.models import Recovery
from relance.dunning.recovery import contents
from relance.dunning.recovery.handing import tell
from relance.dunning.recovery.pack import Pack, pieces

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=10)
"""Without a sign of life for so long, a builder counts as dead."""
STEPS = 20
"""Invoices and messages between two signs of life."""

Now = Callable[[], datetime]


class LostError(Exception):
    """Somebody else builds this dossier now."""


def _waiting(now: datetime) -> Q:
    dead = Q(status=Recovery.Status.RUNNING, beat_at__lt=now - PATIENCE)
    return Q(status=Recovery.Status.ASKED) | dead


def is_waiting(now: datetime) -> bool:
    """Whether there is a dossier to gather."""
    return Recovery.objects.filter(_waiting(now)).exists()


def work(now: Now, stop: Callable[[], bool] = lambda: False) -> int:
    """Gather those that wait, the oldest first; how many were brought to an end."""
    ended = 0
    while not stop() and (recovery := _take(now())) is not None:
        try:
            ended += _build(recovery, now)
        except LostError:
            log.warning("dossier %d is built by another process", recovery.pk)
        except OperationalError:
            raise  # the database is out of reach: it is taken up again by whoever finds it
        except Exception as fault:
            log.exception("dossier %d broke off", recovery.pk)
            _fail(recovery, type(fault).__name__, now())
            ended += 1
    return ended


def _take(now: datetime) -> Recovery | None:
    found = Recovery.objects.filter(_waiting(now)).order_by("pk").values_list("pk", flat=True)
    for pk in found[:10]:
        mine = Recovery.objects.filter(_waiting(now), pk=pk)
        builder = uuid4().hex
        if mine.update(
            status=Recovery.Status.RUNNING, builder=builder, beat_at=now, done=0, gaps=[], error=""
        ):
            about = Recovery.objects.select_related("organisation", "customer", "made_by")
            return about.get(pk=pk)
    return None


def _mine(recovery: Recovery) -> QuerySet[Recovery]:
    return Recovery.objects.filter(
        pk=recovery.pk, builder=recovery.builder, status=Recovery.Status.RUNNING
    )


def _build(recovery: Recovery, now: Now) -> bool:
    total = contents.invoices_of(recovery.customer).count()
    total += contents.messages_of(recovery.customer).count()
    _mine(recovery).update(total=total)
    began = now()

    def beat(done: int) -> None:
        if done % STEPS == 0 and not _mine(recovery).update(done=done, beat_at=now()):
            raise LostError(recovery.pk)

    gaps: list[str] = []
    with tempfile.TemporaryFile(prefix="relance-dossier-") as target, override("fr"):
        pack = Pack(target, at=began.astimezone(ZoneInfo(recovery.organisation.timezone)))
        try:
            contents.put_in(contents.Context(recovery, pack, began, gaps), beat)
        finally:
            pack.close()
        return _keep(recovery, target, gaps, total, now())


def _keep(recovery: Recovery, target: BinaryIO, gaps: list[str], total: int, now: datetime) -> bool:
    target.seek(0)
    told = hashlib.sha256()
    for piece in pieces(target):
        told.update(piece)
    digest, size = told.hexdigest(), target.tell()
    target.seek(0)
    storage = Recovery._meta.get_field("file").storage
    folder = f"recovery/{recovery.organisation_id}"
    path = storage.save(f"{folder}/{uuid4().hex}.zip", File(target))
    on = clock.local_date(recovery.organisation, now)
    with transaction.atomic():
        kept = _mine(recovery).update(
            status=Recovery.Status.DONE,
            file=path,
            size=size,
            sha256=digest,
            gaps=gaps,
            done=total,
            finished_at=now,
        )
        if kept:
            data = {"recovery": recovery.pk, "name": filename(recovery), "sha256": digest}
            tell("recovery_made", recovery, data, actor=recovery.made_by, on=on, now=now)
    if not kept:
        storage.delete(path)
        raise LostError(recovery.pk)
    return True


def _fail(recovery: Recovery, why: str, now: datetime) -> None:
    on = clock.local_date(recovery.organisation, now)
    with transaction.atomic():
        if _mine(recovery).update(status=Recovery.Status.FAILED, error=why, finished_at=now):
            tell("recovery_failed", recovery, {"error": why}, actor=None, on=on, now=now)


def filename(recovery: Recovery) -> str:
    """What the file is called when it is saved."""
    who = slugify(recovery.customer.name)[:60] or str(recovery.customer_id)
    return f"{_('dossier')}-{who}-{recovery.on.isoformat()}.zip"

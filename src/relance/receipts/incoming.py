"""Documents and completed workbooks that come in by e-mail (S0-33): kept, read, reported on.

A mail comes in within the short transaction of `outbox.inbound`, which only notes it here: reading
a photograph takes seconds. The worker does the rest, file by file. What came twice is known by its
content and kept once, so a turn that is killed half way is simply done again.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.models import BankRole, CollectRole, Organisation, User
from relance.accounts.people import rights_in
from relance.bank.models import Document
from relance.bank.services import feed
from relance.bank.services.documents import store_document
from relance.bank.services.errors import BankRefused
from relance.formats.faults import Fault
from relance.formats.mail_words import File, read_files, read_words
from relance.history.services import Fact, append
from relance.outbox.models import Inbound
from relance.outbox.services import Attached
from relance.receipts import report_mail, workbook
from relance.receipts.models import Door, Incoming, Request
from relance.receipts.report_mail import FileReport
from relance.receipts.services import answers

log = logging.getLogger(__name__)

MOST_TRIES = 3
SIGNATURE_BYTES = 12_000
"""An image as small as this is a logo under a signature, not a receipt one could read."""
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def note(inbound: Inbound, attachments: Sequence[Attached], now: datetime) -> None:
    """A mail with files for the dossier has come in; one without is for a person to read."""
    if not attachments:
        return
    message, request = inbound.message, None
    if message is not None and message.request_id is not None:
        known = Request.objects.filter(organisation=inbound.organisation)
        request = known.filter(pk=message.request_id).first()
    Incoming.objects.get_or_create(
        inbound=inbound,
        defaults={"organisation": inbound.organisation, "request": request, "made_at": now},
    )


def work(now: datetime, limit: int = 20) -> int:
    """Take in what waits, mail by mail; one on which this breaks three times is given up, and told.

    How many were done.
    """
    waiting = Incoming.objects.filter(done_at=None).order_by("attempts", "pk")
    done = 0
    for incoming in waiting.select_related("organisation", "inbound", "request")[:limit]:
        try:
            done += take_in(incoming, now=now)
        except Exception:
            log.exception("mail %s could not be taken in", incoming.inbound_id)
            last = incoming.attempts + 1 >= MOST_TRIES
            mine = Incoming.objects.filter(pk=incoming.pk, done_at=None)  # another may have done it
            mine.update(attempts=incoming.attempts + 1, done_at=now if last else None)
    return done


def take_in(incoming: Incoming, *, now: datetime) -> bool:
    """Keep its documents, apply its workbook, and tell the sender; False when that was done."""
    with incoming.inbound.raw.open("rb") as file:
        raw = bytes(file.read())
    on = clock.local_date(incoming.organisation, now)
    door = _door_of(incoming.request, now)
    reports: list[FileReport] = []
    sheets: list[File] = []
    papers: list[File] = []
    for one in read_files(raw):
        if one.content.startswith(b"PK\x03\x04"):
            sheets.append(one)
        elif one.mime in IMAGES and len(one.content) < SIGNATURE_BYTES:
            reports.append(FileReport(one.name, "left"))
        else:
            papers.append(one)
    reports += _keep_papers(incoming, papers, door, on, now)
    with transaction.atomic():
        mine = Incoming.objects.select_for_update().filter(pk=incoming.pk, done_at=None)
        if not mine.exists():
            return False
        reports += [_read_sheet(incoming, one, door, on, now) for one in sheets]
        mine.update(done_at=now, report=[one.stored() for one in reports])
        _tell(incoming, reports, on, now)
        if (user := _answerable(incoming, raw)) is not None:
            report_mail.write(incoming=incoming, reports=reports, user=user, on=on, now=now)
    return True


def _door_of(request: Request | None, now: datetime) -> Door | None:
    """The way in of the request that the mail answers, while it is open."""
    return Door.objects.filter(
        request=request, request__isnull=False, revoked_at=None, expires_at__gt=now
    ).first()


def _keep_papers(
    incoming: Incoming, papers: Sequence[File], door: Door | None, on: date, now: datetime
) -> list[FileReport]:
    """The receipt of the one transaction that was asked about is associated with it."""
    if not papers:
        return []
    request = incoming.request
    if door is not None and request is not None and request.kind == Request.Kind.SINGLE:
        asked = request.asked.select_related("transaction").first()
        if asked is not None and asked.transaction.missing:
            files = [answers.Sent(one.content, one.name) for one in papers[: answers.MOST_FILES]]
            given = answers.answer_with_files(
                row=asked.transaction,
                files=files,
                by=incoming.inbound.sender,
                on=on,
                now=now,
                door=door,
            )
            refused = {one.filename: one.why for one in given.refused}
            kept = [
                FileReport(f.filename, "associated") for f in files if f.filename not in refused
            ]
            return kept + [FileReport(name, "refused", why) for name, why in refused.items()]
    reports, fresh = [], []
    for one in papers:
        report, document = _keep(incoming, one, on, now)
        reports.append(report)
        if document is not None:
            fresh.append(document)
    feed.propose_documents(incoming.organisation, fresh, now=now)
    return reports


def _keep(
    incoming: Incoming, one: File, on: date, now: datetime
) -> tuple[FileReport, Document | None]:
    try:
        stored = store_document(
            organisation=incoming.organisation,
            raw=one.content,
            filename=one.name,
            on=on,
            now=now,
            source=Document.Source.EMAIL,
            sent_by=incoming.inbound.sender,
        )
    except BankRefused as refusal:
        return FileReport(one.name, "refused", str(refusal)), None
    outcome = "known" if stored.known else "kept"
    return FileReport(one.name, outcome, document_id=stored.document.pk), stored.document


def _read_sheet(
    incoming: Incoming, one: File, door: Door | None, on: date, now: datetime
) -> FileReport:
    """Answers are taken from those who were asked, or may answer in the dossier (D-22)."""
    if door is None and not _may_answer(incoming):
        why = (
            _("La demande à laquelle il répond n’est plus ouverte.")
            if incoming.request
            else _("Ce tableau ne répond à aucune demande et son expéditeur n’est pas du dossier.")
        )
        return FileReport(one.name, "refused", why)
    found = workbook.read_answers(
        organisation=incoming.organisation,
        raw=one.content,
        by=incoming.inbound.sender,
        on=on,
        now=now,
        door=door,
    )
    if isinstance(found, Fault):
        return FileReport(one.name, "refused", workbook.refusal_words(found))
    lines = tuple((line.line, line.outcome, _name(line), line.detail) for line in found)
    return FileReport(one.name, "read", lines=lines)


def _name(line: workbook.Reported) -> str:
    return (line.row.name or line.row.label) if line.row else line.reference


def _may_answer(incoming: Incoming) -> bool:
    user = _sender(incoming)
    if user is None:
        return False
    rights = rights_in(user, incoming.organisation)
    return rights.bank >= BankRole.R2 and rights.collect >= CollectRole.ALL


def _sender(incoming: Incoming) -> User | None:
    """The person of the installation whose address it is; addresses can be forged."""
    found = User.objects.filter(email=incoming.inbound.sender, is_active=True).first()
    if found is None or not any(rights_in(found, incoming.organisation)):
        return None
    return found


def _answerable(incoming: Incoming, raw: bytes) -> User | None:
    """Whom the report is sent to: a person of the dossier, never a list or a robot (B2)."""
    return None if read_words(raw).bulk else _sender(incoming)


def _tell(incoming: Incoming, reports: Sequence[FileReport], on: date, now: datetime) -> None:
    data = {
        "inbound": incoming.inbound_id,
        "from": incoming.inbound.sender,
        "kept": sum(one.outcome in ("kept", "associated") for one in reports),
        "refused": sum(one.outcome == "refused" for one in reports),
        "answers": sum(line[1] == "accepted" for one in reports for line in one.lines),
    }
    append(incoming.organisation, [Fact("documents_taken_in", now, on, data=data)])


def became_of(organisation: Organisation, inbound_id: int) -> list[tuple[str, str]]:
    """What became of a mail's files, (name, sentence) each, to be shown beside it.

    A mail that is not read yet, or could not be, says so under an empty name.
    """
    mine = Incoming.objects.filter(organisation=organisation, inbound_id=inbound_id).first()
    if mine is None:
        return []
    if mine.done_at is None:
        return [("", _("Les pièces sont lues dans un instant."))]
    if not mine.report:
        return [("", _("Les pièces n’ont pu être lues\u00a0: déposez-les vous-même dans Banque."))]
    told = [FileReport(**one) for one in mine.report]
    return [(one.name, report_mail.words_of(one)) for one in told]

"""What a dossier de recouvrement holds, one part after the other, read by chunks.

A part that cannot be made is told in `gaps`, as a sentence, and the others go on: a dossier with
a hole that is named is worth more than none.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.dunning.facts import legal
from relance.dunning.models import Recovery
from relance.dunning.recovery import book, sheets
from relance.dunning.recovery.handing import GONE
from relance.dunning.recovery.names import safe
from relance.dunning.recovery.pack import Entry, Pack, spooled, stored
from relance.dunning.wording import interest_statement, legal_words
from relance.engine.late_fees import MissingRate
from relance.engine.wording import money_words
from relance.history import checking, export
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import claims, print_runs
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.mime import attached_name, envelope, left_at
from relance.outbox.models import Inbound, Message
from relance.outbox.services import POSTED

AT_ONCE = 100
"""Messages read at a time with their invoices and files."""
NOTES = ("note", "note_withdrawn")
MOST_NAMED = 20
"""Invoices named in a sentence about what is missing; the others are counted."""

Beat = Callable[[int], None]
"""Told how many invoices and messages are in; raises when somebody else builds this one now."""


class Context(NamedTuple):
    """What every part needs."""

    recovery: Recovery
    pack: Pack
    now: datetime
    gaps: list[str]

    @property
    def customer(self) -> Customer:
        """Whose dossier it is."""
        return self.recovery.customer


def invoices_of(customer: Customer) -> Any:
    """His invoices, the oldest due first."""
    return Invoice.objects.filter(customer=customer).order_by("due", "pk")


def messages_of(customer: Customer) -> Any:
    """The messages that the other side has, or may have; what a test diverted is none of them."""
    return Message.objects.filter(customer=customer, status__in=GONE, diverted_to="")


def put_in(context: Context, beat: Beat) -> None:
    """Every part, and the index and the manifest that tell of them."""
    pack, customer = context.pack, context.customer
    on = context.recovery.on
    pack.add(
        "",
        "releve.xlsx",
        spooled(lambda file: book.write(file, customer, on=on)),
        _("Extrait du grand livre : factures, règlements, avoirs, solde"),
    )
    done = _invoices(context, beat)
    _messages(context, done, beat)
    _mails(context, "reponses", Inbound.objects.filter(customer=customer, message=None))
    owed = _interest(context)
    _journal(context)
    if context.recovery.with_notes:
        _notes(context)
    _index(context, owed)


def _invoices(context: Context, beat: Beat) -> int:
    done = 0
    missing: list[str] = []
    for one in invoices_of(context.customer).iterator(book.AT_ONCE):
        content = stored(one.document)
        if content is not None:
            extension = safe(attached_name("x", one.document.name or "")).removeprefix("x")
            context.pack.add(
                "factures",
                safe(one.number, extension[:6]),
                content,
                _("Facture %(number)s") % {"number": one.number},
            )
        elif one.balance_cents > 0:
            missing.append(one.number)
        done += 1
        beat(done)
    if missing:
        named = ", ".join(missing[:MOST_NAMED])
        more = f" (+{len(missing) - MOST_NAMED})" if len(missing) > MOST_NAMED else ""
        words = ngettext(
            "Le PDF de %(n)s facture due n’est pas dans Relance : %(named)s.",
            "Les PDF de %(n)s factures dues ne sont pas dans Relance : %(named)s.",
            len(missing),
        )
        context.gaps.append(words % {"n": len(missing), "named": named + more})
    return done


def _messages(context: Context, done: int, beat: Beat) -> None:
    ids = list(messages_of(context.customer).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AT_ONCE):
        some = claims.whole(Message.objects.filter(pk__in=ids[start : start + AT_ONCE]))
        for number, message in enumerate(some.select_related("print_run").order_by("pk"), start):
            _message(context, number + 1, message)
            done += 1
            beat(done)


def _message(context: Context, number: int, message: Message) -> None:
    """Its folder: the mail to the last byte or the letter's PDF, its sheet, what came back."""
    about = slugify(message.level_name or message.subject)[:40]
    day = message.on.isoformat()
    folder = f"messages/{safe(f'{number:04}-{day}-{about}')}"
    what = message.subject or message.level_name
    answers = list(Inbound.objects.filter(message=message).order_by("received_at", "pk"))
    attached: list[str] = []
    try:
        attached = _as_it_left(context, folder, message, what)
    except (DeliveryError, OSError, ValueError) as fault:
        context.gaps.append(
            _("Le message du %(day)s « %(what)s » n’a pu être reconstitué : %(fault)s.")
            % {"day": day, "what": what, "fault": str(fault)[:200]}
        )
    sheet = sheets.message_pdf(message, attached=attached, answers=answers, at=context.now)
    name = "preuve.pdf" if message.letter else "message.pdf"
    words = _("Preuve de l’envoi") if message.letter else _("Message et preuve de son envoi")
    context.pack.add(folder, name, sheet, f"{words}, {what}")
    for tracked in message.tracking.exclude(proof="").order_by("at", "pk"):
        content = stored(tracked.proof)
        if content is not None:
            extension = safe(attached_name("x", tracked.proof.name or "")).removeprefix("x")
            told = _("Preuve du prestataire : %(status)s") % {"status": tracked.status}
            name = safe(f"suivi-{tracked.status}", extension[:6])
            context.pack.add(folder, name, content, told)
    _raw(context, folder, answers)


def _as_it_left(context: Context, folder: str, message: Message, what: str) -> list[str]:
    """Write the message itself; the names of the files that went with it."""
    if message.channel in POSTED and message.letter:
        pdf = print_runs.as_sent(message, now=context.now)
        context.pack.add(folder, "courrier.pdf", pdf, what)
        return []
    if message.channel != "email":
        return []
    data = envelope(message, at=left_at(message)).data
    told = _compared(context, message, sha256(data).hexdigest(), what)
    context.pack.add(folder, "message.eml", data, f"{told}, {what}")
    lines = [] if message.by_link else list(message.lines.all())
    return [
        *(
            attached_name(line.invoice.number, line.invoice.document.name or "")
            for line in lines
            if line.invoice.document
        ),
        *(one.name for one in message.files.all()),
    ]


def _compared(context: Context, message: Message, digest: str, what: str) -> str:
    """What the rebuilt mail is called in the index; the gaps name one that is not what left.

    The digest of the bytes that left was kept with the mark of their departure. Mails that left
    before it was kept are said to be rebuilt, no more.
    """
    day = message.on.isoformat()
    for earlier in message.tries.exclude(sha256="").order_by("at", "pk"):
        context.gaps.append(
            _(
                "Le message du %(day)s « %(what)s » est parti une première fois le %(at)s sous le "
                "Message-ID %(ref)s (SHA-256 %(digest)s) ; seul le dernier envoi est joint."
            )
            % {
                "day": day,
                "what": what,
                "at": sheets.moment(earlier.at, message.organisation),
                "ref": earlier.message_ref,
                "digest": earlier.sha256,
            }
        )
    if not message.handed_sha256:
        return _("Le message reconstitué")
    if message.handed_sha256 == digest:
        return _("Le message à l’octet près")
    context.gaps.append(
        _(
            "Le message du %(day)s « %(what)s » joint ici n’est pas à l’octet près celui qui est "
            "parti (SHA-256 %(digest)s) : un de ses fichiers, peut-être le PDF d’une facture, a "
            "été remplacé depuis."
        )
        % {"day": day, "what": what, "digest": message.handed_sha256}
    )
    return _("Le message reconstitué, différent de celui qui est parti")


def _mails(context: Context, folder: str, found: Any) -> None:
    ids = list(found.order_by("received_at", "pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AT_ONCE):
        some = Inbound.objects.filter(pk__in=ids[start : start + AT_ONCE])
        _raw(context, folder, list(some.order_by("received_at", "pk")))


def _raw(context: Context, folder: str, mails: Sequence[Inbound]) -> None:
    """Mails that came in, as they came."""
    for one in mails:
        content = stored(one.raw)
        if content is None:
            continue
        day = one.received_at.date().isoformat()
        kind = str(one.get_kind_display())
        name = safe(f"{day}-{slugify(kind)}", ".eml")
        context.pack.add(folder, name, content, f"{kind}, {one.sender} : {one.subject}")


def _interest(context: Context) -> list[list[str]]:
    """The statement of interest as a PDF; its totals for the index, none when it is not told."""
    recovery = context.recovery
    told = legal.statement(
        recovery.organisation, recovery.customer_id, on=recovery.on, paid_late=True
    )
    if not told.lines:
        return []
    try:
        pdf = interest_statement.pdf(recovery.organisation, recovery.customer, told, at=context.now)
    except interest_statement.MissingRateError as missing:
        context.gaps.append(
            _("Le décompte des pénalités n’a pu être fait : %(why)s") % {"why": missing}
        )
        return []
    context.pack.add("", "penalites.pdf", pdf, _("Décompte des pénalités et indemnités"))
    if told.why_none:
        context.gaps.append(legal_words.why_none_words(told.why_none))
    totals = []
    for currency in told.currencies:
        one = told.total(currency)
        if not isinstance(one, MissingRate):
            parts = (one.principal, one.interest, one.fee, one.total)
            totals.append([currency, *(money_words(cents, currency) for cents in parts)])
    return totals


def _journal(context: Context) -> None:
    organisation = context.recovery.organisation
    events = Event.objects.filter(customer_id=context.recovery.customer_id)
    if not context.recovery.with_notes:
        events = events.exclude(kind__in=NOTES)
    context.pack.add(
        "journal",
        "journal.jsonl",
        export.lines(events, organisation),
        _("Le journal de ce client, avec ses empreintes"),
    )
    context.pack.add(
        "journal",
        "verifier.py",
        export.RECIPE.encode(),
        _("Vérifie les empreintes : python verifier.py journal.jsonl"),
    )


def _notes(context: Context) -> None:
    zone = ZoneInfo(context.recovery.organisation.timezone)

    def written() -> Iterator[bytes]:
        notes = Event.objects.filter(
            organisation=context.recovery.organisation,
            customer_id=context.recovery.customer_id,
            kind="note",
        )
        for event in notes.order_by("seq").iterator(book.AT_ONCE):
            at = event.at.astimezone(zone).strftime("%d/%m/%Y %H:%M")
            text = str(event.data.get("text") or "") if isinstance(event.data, dict) else ""
            yield f"{at} {event.actor_name}\n{text}\n\n".encode("utf-8", "replace")

    context.pack.add("", "notes.txt", written(), _("Notes internes"))


def _index(context: Context, owed: list[list[str]]) -> None:
    recovery = context.recovery
    organisation = recovery.organisation
    chain = checking.state(organisation)
    parts: dict[str, list[Entry]] = {}
    for entry in context.pack.entries:
        parts.setdefault(entry.path.rpartition("/")[0], []).append(entry)
    page = render_to_string(
        "recovery/index.html",
        {
            "recovery": recovery,
            "organisation": organisation,
            "customer": recovery.customer,
            "made_at": context.now.astimezone(ZoneInfo(organisation.timezone)),
            "parts": parts.items(),
            "gaps": context.gaps,
            "owed": owed,
            "chain": chain,
        },
    )
    context.pack.add("", "index.html", page.encode(), _("Index"))
    manifest = {
        "version": 1,
        "organisation": {"name": organisation.name, "siren": organisation.siren},
        "customer": {
            "code": recovery.customer.code,
            "name": recovery.customer.name,
            "siren": recovery.customer.siren,
        },
        "on": recovery.on.isoformat(),
        "made_at": context.now.isoformat(),
        "notes": recovery.with_notes,
        "journal": {"length": chain.length, "hash": chain.hash},
        "missing": context.gaps,
        "files": [
            {"path": one.path, "size": one.size, "sha256": one.sha256}
            for one in context.pack.entries
        ],
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    context.pack.add("", "manifest.json", text.encode(), _("Manifeste"))

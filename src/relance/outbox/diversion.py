"""Test mode: everything leaves to one address instead, saying to whom it would have gone.

The mode holds for the messages made since it began. Those made before wait for its end; those
made in it never leave for real: `test_mode.leave` undoes them. That no switch in between can
mix the two up is decided by one statement, at the point of no return (`claims.mark_handing`):
it marks `Message.diverted_to` if, and only if, the mode still is what the bytes were made for.
"""

import copy
import re
from collections.abc import Sequence
from datetime import datetime

from django.core.files.base import ContentFile
from django.db.models import Q
from django.utils.html import escape
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.outbox.channels import letter as paper
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.letter.logos import logos_of
from relance.outbox.mailboxes import automatic_sender
from relance.outbox.models import Message, MessageFile

UNDONE = "TEST"
"""Reason of a message that was made in test mode and undone at its end."""
_NOTE = (
    "margin:0 0 20px;padding:10px 14px;border:1px solid #d9b84a;border-radius:4px;"
    "background:#fff8e1;color:#3b2f00;font:13px/1.5 Arial,sans-serif"
)


def claimable(reachable: Q, channels: Sequence[str]) -> Q:
    """Which messages may be claimed: in test mode what has no channel leaves by e-mail too.

    What was made before the mode began waits for its end.
    """
    running = dict(Organisation.objects.exclude(test_to="").values_list("pk", "test_since"))
    if not running:
        return reachable
    if "email" not in channels:
        return reachable & ~Q(organisation__in=running)
    reachable |= Q(organisation__in=running, print_run=None)
    before = Q()
    for pk, since in running.items():
        before |= Q(organisation=pk, made_at__lt=since)
    return reachable & ~before


def as_it_leaves(message: Message, *, at: datetime) -> Message | None:
    """The message itself, or what goes to the address of the test mode in its place.

    None when it waits for the end of the mode. Sets `diverted_to` for `claims.mark_handing`.
    """
    organisation = message.organisation
    if not organisation.test_to:
        return message
    if organisation.test_since is None or message.made_at < organisation.test_since:
        return None
    message.diverted_to = organisation.test_to
    return diverted(message, at=at)


def is_stranded(message: Message) -> bool:
    """It went into a test that is over: it may not leave any more."""
    return bool(message.diverted_to) and not message.organisation.test_to


def diverted(message: Message, *, at: datetime) -> Message:
    """A copy of a diverted message, never to be saved: an e-mail to `diverted_to` alone.

    The true recipients stand in its subject and at its head; a letter comes as a PDF.
    """
    whom = addressees(message)
    first = whom[0] if whom else message.whom
    more = f" +{len(whom) - 1}" if len(whom) > 1 else ""
    to_whom = _("Essai pour %(whom)s") % {"whom": first + more}
    lines = _head(message, whom)
    test = copy.copy(message)
    test.recipients, test.copies = [message.diverted_to], []
    test.subject = f"[{to_whom}] {message.subject}"[:300]
    test.text = "\n".join([*lines, "—" * 20, "", message.text])
    note = "<br>".join(str(escape(line)) for line in lines if line)
    test.html = _with_note(message.html, f'<div style="{_NOTE}">{note}</div>')
    if message.channel != "email":
        test.channel, test.mailbox, test.html = "email", None, ""
        test.sender = automatic_sender(message.organisation).sender
    if message.letter:
        files = [*message.files.all(), _sheet(message, at)]
        test._prefetched_objects_cache = {  # type: ignore[attr-defined]
            **getattr(message, "_prefetched_objects_cache", {}),
            "files": files,
        }
    return test


def addressees(message: Message) -> list[str]:
    """To whom it would have gone: addresses, telephone numbers, or the place of a letter."""
    if message.letter:
        return [", ".join(message.letter.get("to") or [message.whom])]
    return list(message.recipients)


def _head(message: Message, whom: Sequence[str]) -> list[str]:
    kind = {
        "letter": _("ce courrier"),
        "registered_letter": _("ce recommandé"),
        "sms": _("ce SMS"),
    }.get(message.channel, _("ce message"))
    lines = [
        _("Mode test : %(kind)s n’est parti qu’à cette adresse.") % {"kind": kind},
        _("Destinataires prévus : %(whom)s") % {"whom": ", ".join(whom) or message.whom},
    ]
    if message.copies:
        lines.append(_("Copie cachée prévue : %(whom)s") % {"whom": ", ".join(message.copies)})
    return [*lines, ""]


def _with_note(html: str, note: str) -> str:
    """The note at the head of a whole HTML mail; nothing without HTML."""
    if not html:
        return ""
    if body := re.search(r"<body[^>]*>", html, re.IGNORECASE):
        return html[: body.end()] + note + html[body.end() :]
    return note + html


def _sheet(message: Message, at: datetime) -> MessageFile:
    """The letter as it would have been printed, not kept anywhere."""
    try:
        letter = message.letter or {}
        pdf = paper.render([letter], at=at, logos=logos_of([letter])).pdf
    except Exception as fault:
        raise DeliveryError(f"letter: {fault}", permanent=True) from fault
    name = _("courrier.pdf")
    return MessageFile(
        organisation=message.organisation,
        name=name,
        mime="application/pdf",
        file=ContentFile(pdf, name),
    )

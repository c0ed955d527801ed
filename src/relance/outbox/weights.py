"""What is too heavy for mailboxes goes as a link: the invoices' PDFs stay on the portal instead.

Decided when a message is claimed, with the PDFs as they are then; the words about the link are
written into the message itself, so that what is stored is what leaves.
"""

from collections.abc import Sequence
from html import escape

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.outbox import claims, doors
from relance.outbox.models import Message

_LINK = "margin:16px 0 0"


def lighten(messages: Sequence[Message]) -> None:
    """Of the e-mails about to leave that weigh more than `MAIL_MAX_BYTES`, link to the PDFs.

    In memory and, while its claim is held, in the table; a message that is light again (rewritten
    with fewer invoices) takes its PDFs back. Own files stay attached: they were limited when they
    were kept.
    """
    changed = []
    for message in messages:
        if message.channel != "email" or message.customer_id is None:
            continue
        if message.by_link and doors.link_of(message) in message.text:
            continue
        heavy = _weight(message) > settings.MAIL_MAX_BYTES
        if heavy:
            _point(message)
        if heavy or message.by_link:
            message.by_link = heavy
            changed.append(message)
    claims.held(changed).bulk_update(changed, ["by_link", "text", "html"])


def _weight(message: Message) -> int:
    """Bytes of the mail, nearly: base64 adds 37 %, with its line ends; 0 when a file is missing.

    What is missing is said when the mail is written, where it can be said of which file.
    """
    bodies = 2 * (len(message.text.encode()) + len(message.html.encode()))
    try:
        invoices = sum(
            line.invoice.document.size for line in message.lines.all() if line.invoice.document
        )
        own = sum(one.file.size for one in message.files.all())
    except OSError:
        return 0
    return bodies + (invoices + own) * 137 // 100 if invoices else 0


def _point(message: Message) -> None:
    """The link at the end of the text and of the HTML, in the customer's language."""
    link = doors.link_of(message)
    with override(message.debtor.language):
        words = _("Vos factures sont trop volumineuses pour ce message. Vous les trouvez ici :")
    message.text = f"{message.text.rstrip()}\n\n{words}\n{link}\n"
    if message.html:
        line = (
            f'<p style="{_LINK}">{escape(words)}<br><a href="{escape(link)}">{escape(link)}</a></p>'
        )
        head, mark, tail = message.html.rpartition("</div></body>")
        message.html = f"{head}{line}{mark}{tail}" if mark else message.html + line

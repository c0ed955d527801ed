"""What an incoming mail is: a bounce, an absence note, a complaint, or a letter from a person.

Reads the machine's words first (RFC 3464, 5965, 3834), then those of servers that write free
text. Nothing here answers, stores or decides what follows (spec mail B2, B3).
"""

import re
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import EmailPolicy
from email.utils import getaddresses
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

from flufl.bounce import all_failures

LIMIT = 200_000
"""Characters of text that are looked at: a report says what it has to say at its beginning."""
MOST_PARTS = 2_000
MOST_FAILURES = 200
"""Recipients of one report that are told; a relance has a handful."""


class _Short(EmailPolicy):
    """Headers of bounded length: the standard parser needs minutes for one of a megabyte."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """What the standard library reads of the first 8 000 characters."""
        return super().header_fetch_parse(name, value[:8_000])


POLICY: Any = _Short()


def parse(raw: bytes) -> EmailMessage:
    """The mail in its parts; of one made to exhaust its reader, the headers alone."""
    low = raw.lower()
    counts = (
        raw.count(b"\n--"),
        low.count(b"multipart/") * 20,
        low.count(b"\nfinal-recipient") * 2,
    )
    heavy = max(counts) > MOST_PARTS
    if heavy:
        raw = raw[:100_000]
    mail: EmailMessage = (BytesHeaderParser if heavy else BytesParser)(policy=POLICY).parsebytes(
        raw
    )
    return mail


class Kind(StrEnum):
    """`soft` may still arrive or was refused for now; `hard` was refused for good."""

    HARD = "hard"
    SOFT = "soft"
    AUTO_REPLY = "auto_reply"
    COMPLAINT = "complaint"
    LETTER = "letter"


class Reading(NamedTuple):
    """`address` is the recipient concerned, lower case, or empty when the mail hides it.

    `status` is the enhanced code (RFC 3463) or empty; `dead`: the address itself does not exist, so
    that it must not be written to again; `final`: the message did not arrive and is tried no more;
    `about` holds the Message-IDs of our own mails that it speaks of, nearest first; `each` every
    recipient of a bounce, the worst included, which is told at the top.
    """

    kind: Kind
    address: str = ""
    status: str = ""
    dead: bool = False
    final: bool = False
    detail: str = ""
    about: tuple[str, ...] = ()
    each: tuple["Reading", ...] = ()


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?:(?<![\d.])|ERROR_CODE :)([45])\d\d[ ,-](?=\S)")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}@[^<>\s]{1,250}>")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_DEAD_CODES = {"1.1", "1.2", "1.3", "1.6", "1.10", "4.4"}
_DEAD_WORDS = re.compile(
    r"user(?: account)? (?:is )?unknown|unknown user"
    r"|no such (?:user|mailbox|address|recipient|person)"
    r"|(?:user|mailbox|address|account|recipient)[^.\n]{0,60}(?:does not|doesn't|not) exist"
    r"|does(?: not|n't) have an? \S+ account|unknown (?:local.?part|recipient|address)"
    r"|(?:user|recipient|address|mailbox)(?: \S+)? (?:was |is )?not found"
    r"|invalid (?:recipient|mailbox|user)"
    r"|unrouteable address|no mailbox here|recipient unknown|mailbox (?:is )?unknown"
    r"|(?:domain|account)[^.\n]{0,30}(?:does not exist|is disabled|is inactive|has been disabled)"
    r"|host(?: or domain name)? (?:unknown|not found)|no such (?:host|domain)|domain not found"
    r"|name service error|utilisateur inconnu|adresse d au moins un destinataire invalide"
    r"|resolver\.adr\.recip(?:ient)?notfound|that you tried to reach is (?:disabled|inactive)",
    re.IGNORECASE,
)
_LATER_WORDS = re.compile(
    r"delayed mail|still being retried|will (?:be|keep) (?:retried|trying)|not yet been delivered"
    r"|delivery status notification \(delay\)|warning message",
    re.IGNORECASE,
)
_PASSES = re.compile(
    r"timed out|timeout exceeded|expired|not reachable|try(?: again)? later|temporar(?:y|ily)"
    r"|quota|mailbox (?:is )?full",
    re.IGNORECASE,
)
_GENERIC = re.compile(r"5\.1\.0 - Unknown address error")
_FAILED_LINE = re.compile(
    r"^[ \t]*<?([^\s<>:;,]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,})>?"
    r"(?::|[ \t]*$| Invalid Address| Error,)",
    re.MULTILINE,
)
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail delivery|poostmaster", re.IGNORECASE)
_AWAY = re.compile(
    r"^(?:auto(?:matic)?[ -]?reply|out of (?:the )?office|réponse automatique|reponse automatique"
    r"|absence(?: du bureau)?|absent|vacation|away|abwesenheit)\b",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"^-{2,}.*(?:copy of (?:the|your) message|original message|below this line|is included)",
    re.IGNORECASE | re.MULTILINE,
)


def read(raw: bytes) -> Reading:
    """What the mail is. Never raises: a mail that cannot be understood is a letter for a person."""
    try:
        mail = parse(raw)
        ways = (_complaint, _report, _auto_reply, _free_text)
        found = (reading for way in ways if (reading := way(mail)) is not None)
        return _bare(next(found, None) or _letter(mail))
    except Exception:  # a hostile header may break any parser: a person then reads the mail
        return Reading(Kind.LETTER)


def without_controls(text: str) -> str:
    """Without control characters, which no header holds, nor does a database store a NUL."""
    return _CONTROL.sub("", text)


def _bare(reading: Reading) -> Reading:
    return reading._replace(
        address=without_controls(reading.address),
        status=without_controls(reading.status),
        detail=without_controls(reading.detail),
        about=tuple(map(without_controls, reading.about)),
        each=tuple(map(_bare, reading.each)),
    )


def _complaint(mail: EmailMessage) -> Reading | None:
    """An abuse report (RFC 5965)."""
    reports = [part for part in mail.walk() if part.get_content_type() == "message/feedback-report"]
    if not reports:
        return None
    fields = _groups(reports[0])
    kind = fields[0].get("feedback-type", "") if fields else ""
    address = _mailbox(fields[0].get("original-rcpt-to", "")) if fields else ""
    inner = _returned(mail)
    if not address and inner is not None:
        address = _mailbox(str(inner.get("to", "")))
    return Reading(Kind.COMPLAINT, address, detail=kind, about=_about(mail, inner))


def _report(mail: EmailMessage) -> Reading | None:
    """A delivery status notification (RFC 3464); the worst of its recipients is told."""
    inner = _returned(mail)
    about = _about(mail, inner)
    reports = [part for part in mail.walk() if part.get_content_type() in _REPORTS]
    claims_to_be_one = mail.get_param("report-type") == "delivery-status"
    if not reports and claims_to_be_one:  # broken boundaries: the fields are in the raw text
        reports = [mail]
    told = (
        _of_recipient(fields, mail, about)
        for part in reports
        for fields in _groups(part)
        if "action" in fields and ("final-recipient" in fields or "status" in fields)
    )
    found = list(islice(told, MOST_FAILURES))
    rank = {Kind.HARD: 0, Kind.SOFT: 1, Kind.LETTER: 2}
    if not found:
        return None
    failed = tuple(one for one in found if one.kind is not Kind.LETTER)
    return min(found, key=lambda one: rank[one.kind])._replace(each=failed)


_REPORTS = ("message/delivery-status", "message/global-delivery-status")


def _of_recipient(fields: dict[str, str], mail: EmailMessage, about: tuple[str, ...]) -> Reading:
    action = (fields["action"].split() or ["failed"])[0].lower()
    said = _GENERIC.sub("", fields.get("diagnostic-code", ""))
    if action in ("delivered", "relayed", "expanded"):
        return Reading(Kind.LETTER, about=about)
    recipients = ("original-recipient", "final-recipient")
    address = next(filter(None, (_mailbox(fields.get(name, "")) for name in recipients)), "")
    status = _best_status(fields.get("status", ""), said)
    return _verdict(address, status, said or _text(mail), about, delayed=action == "delayed")


def _verdict(
    address: str, status: str, said: str, about: tuple[str, ...], *, delayed: bool
) -> Reading:
    """Class 5 is hard, class 4 and a delay are soft; without a class the words decide."""
    words = " ".join(said.split())
    if not status:
        reply = _REPLY.search(words)
        status_class = reply[1] if reply else ("4" if _PASSES.search(words) else "5")
    else:
        status_class = status[0]
    soft = delayed or status_class == "4"
    code = status.partition(".")[2]
    vague = not status or code in ("0.0", "5.0", "2.1", "1.0", "7.1")
    dead = not soft and (code in _DEAD_CODES or (vague and bool(_DEAD_WORDS.search(words))))
    return Reading(
        Kind.SOFT if soft else Kind.HARD, address, status, dead, not delayed, words[:500], about
    )


def _auto_reply(mail: EmailMessage) -> Reading | None:
    """An absence note (RFC 3834), by its header or by its subject; never one of a mail system."""
    sender = str(mail.get("from", ""))
    if _DAEMON.search(sender):
        return None
    marked = str(mail.get("auto-submitted", "no")).split(";")[0].strip().lower()
    hinted = any(mail.get(name) for name in ("x-autoreply", "x-autorespond", "x-autoreply-from"))
    bulk = str(mail.get("precedence", "")).lower() in ("auto_reply", "auto-reply")
    away = bool(_AWAY.match(str(mail.get("subject", "")).strip()))
    if marked != "auto-replied" and not (hinted or bulk or away):
        return None
    about = _about(mail, None)
    return Reading(Kind.AUTO_REPLY, _mailbox(sender), detail=_text(mail)[:500], about=about)


def _free_text(mail: EmailMessage) -> Reading | None:
    """Servers that wrote no report: qmail, exim, Yahoo, old Exchange."""
    sender, subject = str(mail.get("from", "")), str(mail.get("subject", ""))
    failed = str(mail.get("x-failed-recipients", ""))
    if not (failed or _DAEMON.search(sender)):
        return None
    whole = _text(mail)
    text = _COPY.split(whole, maxsplit=1)[0]
    address = _mailbox(failed.split(",")[0]) or _failed_address(mail, text)
    if not address:
        return None
    later = bool(_LATER_WORDS.search(f"{subject}\n{text[:600]}"))
    delayed = later and "permanent" not in text.lower()
    said = " ".join([*_REPLY_LINE.findall(text), text])
    about = _about(mail, _returned(mail))
    verdict = _verdict(address, _best_status("", said), said, about, delayed=delayed)
    others = [_mailbox(one) for one in failed.split(",")[1:MOST_FAILURES]]
    each = [verdict, *(verdict._replace(address=one) for one in others if one)]
    return verdict._replace(each=tuple(each))


_REPLY_LINE = re.compile(r"[45]\d\d[ -][245]\.\d{1,3}\.\d{1,3}[^\n]*")


def _failed_address(mail: EmailMessage, text: str) -> str:
    line = _FAILED_LINE.search(text)
    if line:
        return line[1].lower()
    temporary, permanent = all_failures(mail)
    for found in (*sorted(permanent), *sorted(temporary)):
        return found.decode("ascii", "replace").lower()
    first = _ADDRESS.search(text)
    return first[0].lower().rstrip(".") if first else ""


def _letter(mail: EmailMessage) -> Reading:
    return Reading(Kind.LETTER, _mailbox(str(mail.get("from", ""))), about=_about(mail, None))


def _groups(part: Message) -> list[dict[str, str]]:
    """The groups of fields of a report, by lower-case name; the first value of each counts."""
    payload = part.get_payload()
    blocks: list[Message] = []
    if isinstance(payload, list):
        found = (block for block in payload if isinstance(block, Message))
        blocks = list(islice(found, MOST_FAILURES + 1))
    text = "\n\n".join(block.as_string() for block in blocks) if blocks else str(payload)
    groups = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        for line in re.sub(r"\n[ \t]+", " ", block).split("\n"):
            name, colon, value = line.partition(":")
            if colon and name.strip():
                fields.setdefault(name.strip().lower(), value.strip())
        if fields:
            groups.append(fields)
    return groups


def _returned(mail: EmailMessage) -> Message | None:
    """Our own mail, or its headers, as sent back."""
    for part in mail.walk():
        kind = part.get_content_type()
        payload = part.get_payload()
        inner = payload[0] if isinstance(payload, list) and payload else None
        if kind == "message/rfc822" and isinstance(inner, Message):
            return inner
        if kind == "text/rfc822-headers" and isinstance(payload, str):
            found: Message = message_from_bytes(payload.encode("utf-8", "replace"), policy=POLICY)
            return found
    return None


def _about(mail: EmailMessage, inner: Message | None) -> tuple[str, ...]:
    """Message-IDs that may be ours: of the returned copy, then those that the mail answers."""
    sources = [str(inner.get("message-id", "")) if inner is not None else ""]
    sources += [str(mail.get("in-reply-to", "")), str(mail.get("references", ""))]
    if inner is None:
        cut = _COPY.split(_text(mail), maxsplit=1)
        if len(cut) > 1:
            sources.insert(0, " ".join(re.findall(r"(?im)^message-id:\s*(\S+)", cut[1])[:1]))
    found = [one for source in sources for one in _MESSAGE_ID.findall(source)]
    return tuple(dict.fromkeys(found))[:50]


def _best_status(given: str, said: str) -> str:
    """The status given, or the one in the server's words when that says more (RFC 3463)."""
    own = _STATUS.search(given)
    own_code = own[0] if own else ""
    if own_code and not own_code.endswith((".0.0", ".5.0")):
        return own_code
    told = [match[0] for match in _STATUS.finditer(said) if match[1] in (own_code[:1] or "45")]
    telling = [code for code in told if not code.endswith(".0.0")]
    return next(iter([*telling, *filter(None, [own_code]), *told]), "")


def _mailbox(value: str) -> str:
    """The bare address of a header or of a `rfc822; address` field, lower case, or empty."""
    typed = re.match(r"\s*(?:rfc822|utf-8)\s*;", value, re.IGNORECASE)
    text = value[typed.end() :] if typed else value
    for _name, address in getaddresses([text.strip()]):
        if "@" in address:
            return address.lower()
    found = _ADDRESS.search(text)
    return found[0].lower() if found else ""


def _text(mail: Message) -> str:
    """The readable beginning of a mail."""
    for part in mail.walk():
        kind = part.get_content_type()
        if not kind.startswith("text/") or kind == "text/rfc822-headers":
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and payload.strip():
            return payload[:LIMIT].decode(_charset(part), "replace")
    return ""


def _charset(part: Message) -> str:
    charset = part.get_content_charset() or "utf-8"
    try:
        "".encode(charset)
    except LookupError:
        return "utf-8"
    return charset

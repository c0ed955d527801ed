"""What a mail says and carries, for a person to read: words, quotes apart, attached files.

Everything is bounded, nothing is trusted: a name is made safe, a type is only what was declared.
"""

import hashlib
import html
import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.utils import getaddresses
from typing import NamedTuple

import nh3

from relance.formats.incoming_mail import parse, without_controls

MOST_TEXT = 100_000
"""Characters of words kept of one mail."""
MOST_FILES = 30
MOST_FILE_BYTES = 20_000_000
"""Of all the files of a mail together."""
MOST_ADDRESSES = 200
_TO = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "resent-to")
_BLOCK_END = re.compile(r"<\s*(?:br|/p|/div|/tr|/li|/h[1-6]|/blockquote)\b[^>]{0,200}>", re.I)
_UNSHOWN = {"script", "style", "title"}
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]+')
_QUOTE_BEGINS = re.compile(
    r"^(?:"
    r"(?:le|on|am|el|il) [^\n]{4,200}(?:a écrit|wrote|schrieb|escribió|ha scritto)\s?:?"
    r"|-{2,}\s*(?:message d.origine|original message|message transféré|forwarded message)[^\n]*"
    r"|(?:de|from|expéditeur)\s?:[^\n]{1,200}\n(?:(?:envoyé|sent|date|à|to|cc|objet|subject)\s?:)"
    r"|_{20,}\s*\n(?:de|from)\s?:"
    r")",
    re.I | re.M,
)
_LONG_INTRODUCTION = re.compile(
    r"^(?:le|on) [^\n]{4,200}\n[^\n]{0,200}(?:a écrit|wrote)\s?:", re.I | re.M
)


class Words(NamedTuple):
    """`sender` and `to` are bare addresses, lower case; `bulk`: a list or a robot sent it.

    `digest` names what the mail is, the same whatever its way in (64 hex digits).
    """

    sender: str
    name: str
    to: tuple[str, ...]
    subject: str
    text: str
    files: int
    bulk: bool
    own_id: str
    digest: str


class File(NamedTuple):
    """A file that came with a mail; `mime` is what the mail claims."""

    name: str
    mime: str
    content: bytes


def read_words(raw: bytes) -> Words:
    """What a person needs of a mail. Never raises: what cannot be read is empty."""
    try:
        mail = parse(raw)
        name, sender = _first(str(mail.get("from", "")))
        to = [
            without_controls(address).strip().lower()
            for header in _TO
            for value in (mail.get_all(header) or [])[:10]
            for _name, address in getaddresses([str(value)])
            if "@" in address
        ]
        own_id = without_controls(str(mail.get("message-id", ""))).strip()[:200]
        return Words(
            sender,
            name,
            tuple(dict.fromkeys(to))[:MOST_ADDRESSES],
            _line(str(mail.get("subject", ""))),
            _text(mail),
            sum(1 for _part in _attached(mail)),
            _bulk(mail),
            own_id,
            _digest(mail, own_id, raw),
        )
    except Exception:  # a hostile header may break any parser
        return Words("", "", (), "", "", 0, False, "", hashlib.sha256(raw).hexdigest())


def read_files(raw: bytes) -> list[File]:
    """The attached files, at most 30 and 20 MB together; nothing of a mail that cannot be read."""
    found: list[File] = []
    left = MOST_FILE_BYTES
    try:
        for part in _attached(parse(raw)):
            content = part.get_payload(decode=True)
            if not isinstance(content, bytes) or not content or len(content) > left:
                continue
            left -= len(content)
            found.append(File(_file_name(part, len(found) + 1), part.get_content_type(), content))
            if len(found) == MOST_FILES:
                break
    except Exception:
        return found
    return found


def fold(text: str) -> tuple[str, str]:
    """The words of the writer, and what he quotes below them (either may be empty)."""
    found = [m.start() for p in (_QUOTE_BEGINS, _LONG_INTRODUCTION) if (m := p.search(text))]
    lines = text.split("\n")
    at = len(lines)
    while at and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith(">")):
        at -= 1
    if any(line.lstrip().startswith(">") for line in lines[at:]):
        found.append(len("\n".join(lines[:at])))
    cut = min(found, default=len(text))
    fresh, quoted = text[:cut].rstrip(), text[cut:].strip("\n")
    return (fresh, quoted) if fresh.strip() else (text.strip("\n"), "")


def _first(header: str) -> tuple[str, str]:
    for name, address in getaddresses([header]):
        if "@" in address and not re.search(r"\s", address):
            return _line(name)[:120], without_controls(address).lower()[:200]
    return _line(header)[:120], ""


def _line(text: str) -> str:
    return " ".join(without_controls(text).split())[:300]


def _bulk(mail: EmailMessage) -> bool:
    listed = any(mail.get(name) for name in ("list-id", "list-unsubscribe"))
    return listed or str(mail.get("precedence", "")).strip().lower() in ("bulk", "list", "junk")


def _digest(mail: EmailMessage, own_id: str, raw: bytes) -> str:
    """Two ways in write different headers above the same mail: they are left out."""
    if not own_id:
        return hashlib.sha256(raw).hexdigest()
    body = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[-1]
    who = f"{own_id}\n{mail.get('from', '')}\n{mail.get('date', '')}\n"
    steady = body.replace(b"\r\n", b"\n").strip()
    return hashlib.sha256(who.encode("utf-8", "replace") + steady).hexdigest()


def _attached(mail: EmailMessage) -> Iterator[Message]:
    """Parts that are files: declared so, or named; a mail inside a mail is none."""
    inside: set[int] = set()
    for part in mail.walk():
        if id(part) in inside:
            inside.update(id(one) for one in _children(part))
            continue
        if part.get_content_type() == "message/rfc822":
            inside.update(id(one) for one in _children(part))
            continue
        if part.is_multipart():
            continue
        named = part.get_filename()
        declared = part.get_content_disposition() == "attachment"
        if not declared and part.get("content-id") and part.get_content_maintype() == "image":
            continue  # the logo of a signature
        shown = part.get_content_maintype() == "text" and not named
        if (named or declared) and not shown:
            yield part


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    if not isinstance(payload, list):
        return []
    return [one for one in payload if isinstance(one, Message)]


def _file_name(part: Message, number: int) -> str:
    name = without_controls(_UNSAFE.sub("-", part.get_filename() or ""))
    return name.strip(". -")[-100:] or f"fichier-{number}"


def _text(mail: EmailMessage) -> str:
    """The first plain text, else the first HTML as text, without control characters."""
    plain = markup = ""
    for part in mail.walk():
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind == "text/plain" and not plain.strip():
            plain = _decoded(part)
        elif kind == "text/html" and not markup:
            markup = _decoded(part)
    text = plain if plain.strip() else _shown(markup)
    text = re.sub(r"\r\n?", "\n", without_controls(text))
    return re.sub(r"\n{4,}", "\n\n\n", text).strip()[:MOST_TEXT]


def _shown(markup: str) -> str:
    """What one would read of an HTML mail."""
    broken = _BLOCK_END.sub(lambda tag: f"{tag[0]}\n", markup)
    words = html.unescape(nh3.clean(broken, tags=set(), clean_content_tags=_UNSHOWN))
    return "\n".join(" ".join(line.split()) for line in words.split("\n"))


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    kept = payload[: MOST_TEXT * 5]
    for charset in (part.get_content_charset() or "utf-8", "utf-8"):
        try:
            return kept.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    try:
        return kept.decode("cp1252")
    except UnicodeDecodeError:
        return kept.decode("utf-8", "replace")

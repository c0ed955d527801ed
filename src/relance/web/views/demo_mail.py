"""The mails that the demonstration received, as their readers see them. Only there with DEMO.

The local post office keeps each mail as a file whose name grows with its arrival. Headers are
read once and kept beside, one line of JSON per mail, so that thousands can be searched.
"""

import json
import re
import threading
from collections.abc import Iterator
from datetime import datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_sameorigin

from relance.accounts.access import organisations_of
from relance.formats.text import fold
from relance.web.requests import enter, today_of, user_of

PAGE = 50
INDEX = "index.jsonl"
MAIL_CSP = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'self'"],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}
"""A mail styles itself inside its tags; of the rest only its links work, in a tab of their own."""
HEADERS = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted")


class Received(NamedTuple):
    """A mail of the list; `name` is that of its file, `at` its Date header."""

    name: str
    at: datetime | None
    to: str
    subject: str
    automatic: bool
    refs: str

    @property
    def reader(self) -> str:
        """The domain of the first reader: in the demonstration, the customer."""
        return self.to.partition(",")[0]


class Box:
    """The folder of mails with its index, read by one process and several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, Received] = {}
        self._folded: dict[str, str] = {}
        self._loaded = False

    def mails(self) -> list[Received]:
        """Every mail, the newest first."""
        with self._lock:
            self._catch_up()
            return [self._known[name] for name in sorted(self._known, reverse=True)]

    def search(self, text: str) -> list[Received]:
        """Those whose readers or subject hold every word of `text`, the newest first."""
        words = fold(text).split()
        return [
            one for one in self.mails() if all(word in self._folded[one.name] for word in words)
        ]

    def _catch_up(self) -> None:
        if not self._loaded:
            for kept in self._kept():
                self._add(kept)
            self._loaded = True
        if not self.folder.is_dir():
            return
        present = {entry.stem for entry in self.folder.glob("*.eml")}
        for gone in self._known.keys() - present:
            del self._known[gone]
        fresh = [read_headers(self.folder, name) for name in sorted(present - self._known.keys())]
        for one in fresh:
            self._add(one)
        if fresh:
            with (self.folder / INDEX).open("a", encoding="utf-8") as index:
                index.writelines(_line(one) for one in fresh)

    def _add(self, one: Received) -> None:
        self._known[one.name] = one
        self._folded[one.name] = fold(f"{one.to} {one.subject}")

    def _kept(self) -> Iterator[Received]:
        """The lines of the index; one that a sudden end cut short is read again from its mail."""
        try:
            lines = (self.folder / INDEX).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            return
        for line in lines:
            try:
                name, at, *rest = json.loads(line)
                yield Received(name, datetime.fromisoformat(at) if at else None, *rest)
            except (ValueError, TypeError):
                continue


def _line(one: Received) -> str:
    at = one.at.isoformat() if one.at else ""
    return json.dumps([one.name, at, *one[2:]], ensure_ascii=False) + "\n"


def read_headers(folder: Path, name: str) -> Received:
    """What the list shows of one file, whatever it holds."""
    with (folder / f"{name}.eml").open("rb") as file:
        headers = BytesHeaderParser(policy=policy.compat32).parse(file)
    addresses = getaddresses([_words(headers, "X-RcptTo") or _words(headers, "To")])
    return Received(
        name,
        _date(headers),
        ", ".join(address for _name, address in addresses if address),
        _words(headers, "Subject"),
        "Auto-Submitted" in headers,
        _words(headers, "Message-ID"),
    )


def _words(headers: Message, name: str) -> str:
    raw = str(headers.get(name, ""))
    try:
        return re.sub(r"[ \t\r\n]+", " ", str(make_header(decode_header(raw)))).strip()
    except (ValueError, LookupError):
        return raw


def _date(headers: Message) -> datetime | None:
    try:
        at = parsedate_to_datetime(str(headers["Date"]))
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None


BOX = Box(Path(settings.DATA_DIR) / "mails")


class Piece(NamedTuple):
    """An attached file, called by its place among the attachments."""

    place: int
    name: str
    size: int


def mail_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What arrived, the newest first, with a search over readers and subjects."""
    access = enter(request, slug)
    asked = request.GET.get("q", "")[:80].strip()
    mails = BOX.search(asked) if asked else BOX.mails()
    page = Paginator(mails, PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "today": today_of(request, access),
        "page": page,
        "asked": asked,
        "count": len(mails),
    }
    return render(request, "demo_mail/list.html", context)


def mail_detail(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """One mail as on paper, with its headers and its attachments."""
    access = enter(request, slug)
    mail = _open(name)
    html = mail.get_body(("html",))
    text = mail.get_body(("plain",))
    context: dict[str, Any] = {
        "today": today_of(request, access),
        "name": name,
        "mail": read_headers(BOX.folder, name),
        "headers": [(title, str(mail[title])) for title in HEADERS if mail[title]],
        "framed": html is not None,
        "text": _content(text) if text else "",
        "pieces": [
            Piece(place, piece.get_filename() or "", len(_bytes(piece)))
            for place, piece in enumerate(mail.iter_attachments())
        ],
    }
    return render(request, "demo_mail/detail.html", context)


@xframe_options_sameorigin
def mail_body(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """The mail as its reader's program shows it, for its frame; its links may be followed."""
    enter(request, slug)
    html = _open(name).get_body(("html",))
    if html is None:
        raise Http404
    answer = HttpResponse(f'{_content(html)}<base target="_blank">')
    answer._csp_replace = MAIL_CSP  # type: ignore[attr-defined]
    return answer


def mail_piece(request: HttpRequest, slug: str, name: str, place: int) -> HttpResponse:
    """One attachment, always as a download."""
    enter(request, slug)
    pieces = list(_open(name).iter_attachments())
    if place >= len(pieces):
        raise Http404
    piece = pieces[place]
    kind = piece.get_content_type()
    return HttpResponse(
        _bytes(piece),
        content_type=kind if kind == "application/pdf" else "application/octet-stream",
        headers={"Content-Disposition": _download(piece.get_filename() or "document")},
    )


def mail_file(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """The whole mail as it arrived."""
    enter(request, slug)
    return HttpResponse(
        _path(name).read_bytes(),
        content_type="message/rfc822",
        headers={"Content-Disposition": _download(f"{name}.eml")},
    )


def mail_door(request: HttpRequest) -> HttpResponse:
    """The short address leads to the box of the user's first dossier."""
    first = organisations_of(user_of(request)).first()
    if first is None:
        raise Http404
    return redirect("mail_list", first.slug)


def _path(name: str) -> Path:
    path = BOX.folder / f"{name}.eml"
    if not re.fullmatch(r"\d+-\d+", name) or not path.is_file():
        raise Http404
    return path


def _open(name: str) -> EmailMessage:
    with _path(name).open("rb") as file:
        return BytesParser(policy=policy.default).parse(file)


def _content(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        return _bytes(part).decode("utf-8", "replace")


def _bytes(part: Any) -> bytes:
    return part.get_payload(decode=True) or b""


def _download(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


urlpatterns = [
    path("courrier/", mail_door),
    path("d/<slug:slug>/courrier/", mail_list, name="mail_list"),
    path("d/<slug:slug>/courrier/<slug:name>/", mail_detail, name="mail_detail"),
    path("d/<slug:slug>/courrier/<slug:name>/message/", mail_body, name="mail_body"),
    path("d/<slug:slug>/courrier/<slug:name>/message.eml", mail_file, name="mail_file"),
    path("d/<slug:slug>/courrier/<slug:name>/<int:place>/", mail_piece, name="mail_piece"),
]

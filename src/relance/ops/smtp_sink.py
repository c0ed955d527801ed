"""A real SMTP server that keeps every mail it takes as a file: for the demo, tests and bench."""

import itertools
import os
from asyncio import Server
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

Decide = Callable[[Envelope], str | None]


@dataclass
class Sink:
    """Start it on a folder and a port; each mail becomes a whole `.eml` file there, never half.

    `answer` may return another reply than "250 …" for an envelope: then nothing is kept.
    File names sort in the order of arrival. With port 0 the system chooses; see `port`.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    answer: Decide = lambda envelope: None
    _controller: Controller | None = field(default=None, repr=False)

    def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        names = (path.stem.partition("-")[0] for path in self.folder.glob("*.eml"))
        last = max((int(name) for name in names if name.isdigit()), default=0)
        handler = _Keeper(self.folder, self.answer, itertools.count(last + 1))
        self._controller = _Controller(
            handler,
            hostname=self.host,
            port=self.port,
            server_hostname="localhost",  # else it asks the network for the machine's name
            ident="relance sink",
        )
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        """Stop listening; may be called twice."""
        if self._controller:
            self._controller.stop(no_assert=True)
            self._controller = None

    def mails(self) -> Iterator["Stored"]:
        """What arrived, oldest first."""
        return stored_mails(self.folder)


@dataclass(frozen=True)
class Stored:
    """A mail in the folder; its headers and content are read when asked for."""

    path: Path

    @property
    def name(self) -> str:
        """How a page refers to it."""
        return self.path.stem

    def headers(self) -> EmailMessage:
        """The headers alone: quick, for lists."""
        with self.path.open("rb") as file:
            return BytesHeaderParser(policy=policy.default).parse(file)

    def mail(self) -> EmailMessage:
        """The whole mail, parsed; its envelope is in X-MailFrom and X-RcptTo."""
        with self.path.open("rb") as file:
            return BytesParser(policy=policy.default).parse(file)


def stored_mails(folder: Path, *, newest_first: bool = False) -> Iterator[Stored]:
    """The mails kept in `folder`, by their order of arrival."""
    for path in sorted(folder.glob("*.eml"), reverse=newest_first):
        yield Stored(path)


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Controller connects to its own port to wake it: with 0, learn which one it got."""
        if isinstance(self.server, Server):
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@dataclass
class _Keeper:
    folder: Path
    answer: Decide
    numbers: "itertools.count[int]"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        """Written beside and renamed: whoever lists the folder sees whole mails only."""
        reply = self.answer(envelope)
        if reply and not reply.startswith("2"):
            return reply
        name = f"{next(self.numbers):08d}-{os.getpid()}"
        head = f"X-MailFrom: {envelope.mail_from}\r\nX-RcptTo: {', '.join(envelope.rcpt_tos)}\r\n"
        half = self.folder / f"{name}.part"
        content = envelope.original_content or b""
        half.write_bytes(head.encode("utf-8", "replace") + content)
        half.rename(self.folder / f"{name}.eml")
        return reply or "250 OK"

"""A small IMAP server on this machine: enough of RFC 3501 for a client that only reads."""

import re
import socket
import threading
from dataclasses import dataclass, field


@dataclass
class ImapHouse:
    """Serves one folder of `mails` (by UID) until `stop`; what it does wrong is chosen by tests.

    `hangs`: says nothing at all; `cuts_after`: closes instead of the nth mail; `announces`: the
    size it claims for a mail.
    """

    password: str = "motdepasse-imap"
    validity: int = 7
    mails: dict[int, bytes] = field(default_factory=dict)
    hangs: bool = False
    cuts_after: int | None = None
    announces: int | None = None
    logins: int = 0
    fetched: list[int] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def add(self, raw: bytes) -> int:
        """A mail arrives; its UID."""
        uid = max(self.mails, default=0) + 1
        self.mails[uid] = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return uid

    def _serve(self) -> None:
        while True:
            try:
                line, _who = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with line, line.makefile("rwb") as file:
            if self.hangs:
                file.read(1)
                return
            try:
                self._answer(file, b"* OK ready\r\n")
                for command in file:
                    if not self._obey(file, command.decode().strip()):
                        return
            except (OSError, ValueError):
                return

    def _answer(self, file, *parts: bytes) -> None:
        for part in parts:
            file.write(part)
        file.flush()

    def _obey(self, file, command: str) -> bool:
        tag, _space, rest = command.partition(" ")
        self.commands.append(re.sub(r"^LOGIN .*", "LOGIN", rest))
        done = f"{tag} OK done\r\n".encode()
        verb = rest.upper()
        if verb.startswith("CAPABILITY"):
            self._answer(file, b"* CAPABILITY IMAP4rev1\r\n", done)
        elif verb.startswith("LOGIN"):
            self.logins += 1
            right = self.password in rest
            self._answer(file, done if right else f"{tag} NO LOGIN failed\r\n".encode())
        elif verb.startswith(("EXAMINE", "SELECT")):
            self._select(file, tag, rest)
        elif verb.startswith("UID SEARCH"):
            found = b" ".join(str(uid).encode() for uid in self._search(verb))
            self._answer(file, b"* SEARCH " + found + b"\r\n", done)
        elif verb.startswith("UID FETCH"):
            return self._fetch(file, int(rest.split()[2]), done)
        elif verb.startswith("LOGOUT"):
            self._answer(file, b"* BYE\r\n", done)
            return False
        else:
            self._answer(file, f"{tag} BAD unknown\r\n".encode())
        return True

    def _select(self, file, tag: str, rest: str) -> None:
        if "INBOX" not in rest:
            self._answer(file, f"{tag} NO no such folder\r\n".encode())
            return
        following = max(self.mails, default=0) + 1
        self._answer(
            file,
            f"* {len(self.mails)} EXISTS\r\n".encode(),
            f"* OK [UIDVALIDITY {self.validity}] valid\r\n".encode(),
            f"* OK [UIDNEXT {following}] next\r\n".encode(),
            f"{tag} OK [READ-ONLY] done\r\n".encode(),
        )

    def _search(self, verb: str) -> list[int]:
        above = re.search(r"UID (\d+):\*", verb)
        uids = sorted(self.mails)
        if above is None:
            return uids
        return [uid for uid in uids if uid >= int(above[1])] or uids[-1:]  # RFC 3501: the last

    def _fetch(self, file, uid: int, done: bytes) -> bool:
        if self.cuts_after is not None and len(self.fetched) >= self.cuts_after:
            return False
        self.fetched.append(uid)
        raw = self.mails[uid]
        size = self.announces or len(raw)
        self._answer(
            file, f"* 1 FETCH (UID {uid} BODY[]<0> {{{size}}}\r\n".encode(), raw, b")\r\n", done
        )
        return True

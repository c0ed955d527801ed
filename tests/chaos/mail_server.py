"""A mail server with every fault there is; what it accepts is on the disk before it says so.

A process of its own: mail_server.py FOLDER PORTS SEED CALM. Each mail that it accepts is a line
`Message-ID<TAB>recipient` of FOLDER/accepted, synced. Which fault a mail meets is drawn from the
seed, the recipient and the number of the try, whichever worker brings it; what happens before a
recipient is known is drawn from the number of the connection. FOLDER/faults counts them.
"""

import asyncio
import json
import os
import random
import re
import socket
import sys
from collections import Counter
from pathlib import Path

HANG_SECONDS = 30
"""Longer than any client of the scenario waits."""
PER_MAIL: list[tuple[str, float]] = [
    ("rcpt 451", 10),
    ("rcpt 550", 2),
    ("rcpt 421", 3),
    ("rcpt close", 4),
    ("rcpt hang", 2),
    ("data 451", 5),
    ("data 554", 2),
    ("data 421", 2),
    ("data close", 4),
    ("data hang", 2),
    ("body close", 5),
    ("body hang", 1),
    ("dot 451", 6),
    ("dot 554", 2),
    ("dot 421", 2),
    ("dot close", 5),
    ("dot noise", 1),
    ("accepted close", 8),
    ("accepted noise", 2),
    ("accepted 354", 1),
    ("accepted hang", 2),
    ("accepted die", 1),
    ("accepted slow", 8),
    ("accepted drip", 4),
]
"""What may happen to one mail, and to how many of a thousand."""
PER_SMS: list[tuple[str, float]] = [
    ("sms 503", 40),
    ("sms 400", 10),
    ("sms 500", 10),
    ("sms close", 30),
    ("sms accepted close", 40),
    ("sms accepted die", 3),
    ("sms accepted slow", 30),
]
PER_CONNECTION: list[tuple[str, float]] = [
    ("greeting close", 10),
    ("greeting 421", 10),
    ("greeting 554", 5),
    ("greeting noise", 5),
    ("greeting hang", 3),
    ("ehlo close", 10),
    ("ehlo 421", 5),
    ("ehlo 502", 30),
    ("mail 451", 10),
    ("mail 421", 10),
    ("mail close", 10),
    ("mail hang", 3),
]


class HangUpError(Exception):
    """The line is closed without another word."""


class Server:
    """One process's state: how often it saw each recipient, and what it did to whom."""

    def __init__(self, folder: Path, seed: int, *, calm: bool) -> None:
        self.seed, self.calm = seed, calm
        self.accepted = os.open(folder / "accepted", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.faults = os.open(folder / "faults", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.tries: Counter[str] = Counter()
        self.connections = os.getpid()

    def fault(self, table: list[tuple[str, float]], *key: object) -> str:
        """What happens to `key`, empty mostly; always the same for the same seed."""
        if self.calm:
            return ""
        draw = random.Random(repr((self.seed, key))).random() * 1000
        for name, weight in table:
            draw -= weight
            if draw < 0:
                os.write(self.faults, f"{name}\n".encode())
                return name
        return ""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends or is ended."""
        try:
            await Conversation(self, reader, writer).run()
        except (HangUpError, OSError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One SMS, given by an HTTP request with its key and number as JSON."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = json.loads(await reader.readexactly(int(length.group(1)) if length else 0))
            self.tries[body["to"]] += 1
            fault = self.fault(PER_SMS, body["to"], self.tries[body["to"]])
            if fault == "sms close":
                return
            status = 200
            if fault in ("sms 503", "sms 400", "sms 500"):
                status = int(fault[4:])
            else:
                self.keep(body["key"], body["to"])
            if fault == "sms accepted die":
                os._exit(1)
            if fault == "sms accepted close":
                return
            await asyncio.sleep(0.3 if fault == "sms accepted slow" else 0)
            writer.write(b"HTTP/1.1 %d so\r\nContent-Length: 2\r\n\r\n{}" % status)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def keep(self, ref: str, recipient: str) -> None:
        """On the disk before anybody hears that it was accepted."""
        os.write(self.accepted, f"{ref}\t{recipient}\n".encode())
        os.fsync(self.accepted)


class Conversation:
    """One connection; its first mail may meet what is drawn for the connection."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        server.connections += 1
        self.early = server.fault(PER_CONNECTION, "connection", server.connections)
        self.late = ""
        self.recipient = ""

    async def run(self) -> None:
        await self.answer("greeting", "220 chaos ready")
        while line := await self.reader.readline():
            word = line[:4].upper().strip()
            if word == b"EHLO":
                await self.answer("ehlo", "250-chaos\r\n250 SIZE 20000000")
            elif word == b"MAIL":
                await self.answer("mail", "250 sender fine")
            elif word == b"RCPT":
                await self.rcpt(line)
            elif word == b"DATA":
                await self.data()
            elif word == b"QUIT":
                await self.say("221 bye")
                return
            else:
                await self.say("250 fine")

    async def say(self, text: str) -> None:
        self.writer.write(text.encode() + b"\r\n")
        await self.writer.drain()

    async def answer(self, stage: str, text: str) -> bool:
        """Say `text`, unless this stage is where the fault is; True when it was said."""
        for fault in (self.early, self.late):
            at, _space, what = fault.partition(" ")
            if at == stage:
                self.early = "" if fault == self.early else self.early
                await self.fail(what)
                return False
        await self.say(text)
        return True

    async def fail(self, what: str) -> None:
        if what == "close":
            raise HangUpError
        if what == "hang":
            await asyncio.sleep(HANG_SECONDS)
            raise HangUpError
        if what == "noise":
            await self.say("\x00\xff I am no mail server")
            return
        await self.say(f"{what} so it is")
        if what == "421":
            raise HangUpError

    async def rcpt(self, line: bytes) -> None:
        self.recipient = line.decode("latin-1").partition("<")[2].partition(">")[0]
        self.server.tries[self.recipient] += 1
        known = (self.recipient, self.server.tries[self.recipient])
        self.late = self.server.fault(PER_MAIL, *known)
        await self.answer("rcpt", "250 recipient fine")

    async def data(self) -> None:
        if not await self.answer("data", "354 go on"):
            return
        if self.late == "body close":
            await self.reader.readline()
            raise HangUpError
        if self.late == "body hang":
            await self.fail("hang")
        body = await self.reader.readuntil(b"\r\n.\r\n")
        if self.late.startswith("dot "):
            await self.fail(self.late[4:])
            return
        self.keep(body)
        await self.accept()

    def keep(self, body: bytes) -> None:
        found = re.search(rb"(?im)^message-id:\s*(<[^>]+>)", body)
        ref = found.group(1).decode() if found else "none"
        self.server.keep(ref, self.recipient)

    async def accept(self) -> None:
        """It is ours now; whether the other side learns it is another matter."""
        how = self.late.partition("accepted ")[2]
        if how == "die":
            os._exit(1)
        if how in ("close", "hang", "noise"):
            await self.fail(how)
        elif how == "354":
            await self.say("354 go on")
        elif how == "drip":
            for letter in "250-taken\r\n250 slowly\r\n":
                self.writer.write(letter.encode())
                await self.writer.drain()
                await asyncio.sleep(0.01)
        else:
            await asyncio.sleep(0.3 if how == "slow" else 0)
            await self.say("250 taken")


async def main(folder: Path, ports: str, seed: int, *, calm: bool) -> None:
    """Listen on the ports for mails and SMS (0: any, told in FOLDER/port) until killed."""
    server = Server(folder, seed, calm=calm)
    lines = [socket.socket() for _each in range(2)]
    for line, port in zip(lines, map(int, ports.split()), strict=True):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.bind(("127.0.0.1", port))
    mails = await asyncio.start_server(server.converse, sock=lines[0], limit=2_000_000)
    await asyncio.start_server(server.request, sock=lines[1])
    half = folder / "port.half"
    half.write_text(" ".join(str(line.getsockname()[1]) for line in lines))
    half.rename(folder / "port")
    await mails.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), calm=sys.argv[4] == "1"))

"""The conversation with an SMTP server, told step by step to know what each failure means."""

import contextlib
import re
import smtplib
from collections.abc import Callable
from typing import NoReturn, cast

from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.channels.email.mime import Envelope
from relance.outbox.channels.email.servers import MailboxServer, SystemServer

ANSWER_SECONDS = 120  # RFC 5321 4.5.3.2.6 asks for patience after the final dot
NEEDS_LOGIN = (530, 534, 535, 538)


class _LineLostError(Exception):
    """The connection went before the message was given: it may be tried over another."""


class Line:
    """One connection to one server, opened at the first message and kept for the next ones."""

    def __init__(
        self, server: SystemServer | MailboxServer, *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self.backend = server
        self.answer_seconds = answer_seconds
        self.delivered = 0

    def deliver(self, letter: Envelope, *, hand_over: Callable[[], None]) -> Receipt:
        """See Channel. 4xx, time-outs and lost lines are temporary, 5xx is permanent.

        A line lost after the whole message was given and before the answer is uncertain. With a
        mailbox everything together has a time limit.
        """
        if self.backend.leash is None:
            return self._deliver(letter, hand_over)
        with self.backend.leash.within(self.backend.message_seconds):
            return self._deliver(letter, hand_over)

    def _deliver(self, letter: Envelope, hand_over: Callable[[], None]) -> Receipt:
        if self.delivered and self.backend.connection:
            try:  # servers close a line that is idle or has carried enough: open another
                return self._converse(letter, hand_over)
            except _LineLostError:
                self.close()
        try:
            return self._converse(letter, hand_over)
        except _LineLostError as lost:
            self.close()
            raise DeliveryError(str(lost)) from lost

    def close(self) -> None:
        """End the connection politely when it still stands."""
        connection, self.backend.connection = self.backend.connection, None
        if connection:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if connection.sock is not None:
                    connection.sock.settimeout(2)
                connection.quit()
            connection.close()

    def _connection(self) -> smtplib.SMTP:
        if self.backend.connection is None:
            try:
                self.backend.open()
                cast("smtplib.SMTP", self.backend.connection).ehlo_or_helo_if_needed()
            except (smtplib.SMTPException, OSError, UnicodeError) as fault:
                self._hang_up()
                raise DeliveryError(
                    text_of(fault), code=getattr(fault, "smtp_code", None), unreachable=True
                ) from fault
        return cast("smtplib.SMTP", self.backend.connection)

    def _converse(self, letter: Envelope, hand_over: Callable[[], None]) -> Receipt:
        smtp = self._connection()
        try:
            refused = self._address(smtp, letter)
            code, answer = smtp.docmd("DATA")
        except (smtplib.SMTPException, OSError) as fault:
            raise _LineLostError(text_of(fault)) from fault
        if code != 354:
            self._refuse(smtp, code, answer)
        try:
            hand_over()
        except BaseException:
            self._hang_up()  # the server waits for a body that must not come
            raise
        code, answer = self._give(smtp, letter.data)
        if code == 421:
            self._hang_up()
            raise DeliveryError(text_of(answer), code=code)
        if not 200 <= code < 300:
            self._refuse(smtp, code, answer)
        self.delivered += 1
        return Receipt(code, text_of(answer), refused)

    def _address(self, smtp: smtplib.SMTP, letter: Envelope) -> dict[str, str]:
        """MAIL and RCPT; the addresses refused while at least one other was accepted."""
        size = f" SIZE={len(letter.data)}" if smtp.has_extn("size") else ""
        code, answer = smtp.docmd(f"MAIL FROM:<{letter.sender}>{size}")
        if code != 250:
            self._refuse(smtp, code, answer)
        refusals: dict[str, tuple[int, bytes]] = {}
        for recipient in letter.recipients:
            code, answer = smtp.docmd(f"RCPT TO:<{recipient}>")
            if code == 421:
                self._refuse(smtp, code, answer)
            if code not in (250, 251):
                refusals[recipient] = (code, answer)
        if len(refusals) == len(letter.recipients):
            code, answer = min(refusals.values(), default=(554, b"no recipient"))
            self._refuse(smtp, code, answer)  # one 4xx among them is worth another try
        return {to: f"{code} {text_of(answer)}" for to, (code, answer) in refusals.items()}

    def _give(self, smtp: smtplib.SMTP, data: bytes) -> tuple[int, bytes]:
        """Body and final dot, then the answer: from the dot on, no answer means uncertain."""
        stuffed = re.sub(rb"(?m)^\.", b"..", data)
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        try:
            smtp.send(stuffed + b".\r\n")
        except (smtplib.SMTPException, OSError) as fault:
            self._hang_up()
            raise DeliveryError(text_of(fault)) from fault
        try:
            if smtp.sock is not None:
                smtp.sock.settimeout(self.answer_seconds)
            code, answer = smtp.getreply()
            if smtp.sock is not None:
                smtp.sock.settimeout(self.backend.timeout)
        except (smtplib.SMTPException, OSError) as fault:
            self._hang_up()
            raise DeliveryError(text_of(fault), uncertain=True) from fault
        if not (200 <= code < 300 or 400 <= code < 600):  # no answer to a message given whole
            self._hang_up()
            raise DeliveryError(text_of(answer), code=None, uncertain=True)
        return code, answer

    def _refuse(self, smtp: smtplib.SMTP, code: int, answer: bytes) -> NoReturn:
        """Say what a refusal means, and leave the connection ready for the next message."""
        text = text_of(answer)
        if code == 421:
            self._hang_up()
            raise _LineLostError(f"421 {text}")
        try:
            in_step = 400 <= code < 600 and smtp.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            in_step = False
        if not in_step:  # else the next answer might belong to an earlier question
            self._hang_up()
        if code in NEEDS_LOGIN:
            raise DeliveryError(text, code=code, unreachable=True)
        raise DeliveryError(text, code=code if code > 0 else None, permanent=500 <= code < 600)

    def _hang_up(self) -> None:
        connection, self.backend.connection = self.backend.connection, None
        if connection:
            connection.close()


def text_of(answer: bytes | Exception) -> str:
    """What a server said, or what went wrong, as text of at most 2 000 characters."""
    if isinstance(answer, smtplib.SMTPResponseException):
        answer = answer.smtp_error if isinstance(answer.smtp_error, bytes) else answer
    if isinstance(answer, bytes):
        return answer.decode("utf-8", "replace")[:2000]
    return (str(answer) or type(answer).__name__)[:2000]

"""Mail servers of other people: with login, with TLS, with opinions; real ones, on this machine."""

import base64
import ssl
from collections.abc import Callable
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from relance.ops.smtp_sink import _Controller
from tests.conftest import NOW


class PostOffice:
    """Takes mails of `login` with `password` (any, without login) whose sender it knows."""

    def __init__(
        self,
        *,
        login: str = "",
        password: str = "",
        senders: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        from_the_start: bool = False,
        token: str = "",
    ) -> None:
        self.login, self.password, self.senders = login, password, senders
        self.token = token
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.connections = 0
        self.controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=0,
            server_hostname="localhost",
            authenticator=self._knows if login else None,
            auth_exclude_mechanism=["PLAIN", "LOGIN"] if token else ["XOAUTH2"],
            auth_required=bool(login),
            auth_require_tls=not login,
            tls_context=None if from_the_start else tls,
            ssl_context=tls if from_the_start else None,
        )
        self.controller.start()
        self.port = self.controller.port

    def _knows(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (self.login.encode(), self.password.encode())
        return AuthResult(success=right, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, words: list[str]) -> AuthResult:  # noqa: N802
        """As Google does it: a refusal explains itself first and waits for an empty answer."""
        said = base64.b64decode(words[1]).decode()
        if said == f"user={self.login}\1auth=Bearer {self.token}\1\1":
            return AuthResult(success=True, auth_data=self.login)
        await server.challenge_auth('{"status":"400","schemes":"Bearer"}')
        return AuthResult(success=False, handled=False)

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, name: str, answers: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = name
        return answers

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.senders and address not in self.senders:
            return "553 5.7.1 sender address not owned by user"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        self.mails.append(
            BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(content)
        )
        self.envelopes.append(envelope)
        return "250 taken"

    def stop(self) -> None:
        self.controller.stop(no_assert=True)


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """TLS for a server called `name`, and the file of an authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=4000))
        .not_valid_after(NOW + timedelta(days=4000))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public


Open = Callable[..., PostOffice]

"""Imitation of a provider's token endpoint (RFC 6749, 7636): codes, rotating refresh tokens."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from relance.outbox import oauth

CLIENT, SECRET = "relance-client", "relance-secret"


class TokenOffice:
    """Gives tokens for the codes of `codes` (with their challenge) and for the last refresh."""

    def __init__(self, account: str = "compta@martin.example") -> None:
        self.account, self.codes = account, {"good-code": ""}
        self.refresh, self.access, self.given = "refresh-0", "access-0", 0
        self.revoked, self.status, self.slow = False, 200, 0.0
        self.asked: list[dict[str, str]] = []
        office = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                form = {k: v[0] for k, v in parse_qs(self.rfile.read(size).decode()).items()}
                time.sleep(office.slow)
                status, answer = office.answer(form)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and JSON of one question."""
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"error": "temporarily_unavailable"}
        if (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "authorization_code":
            right = form["code"] in self.codes and self.codes[form["code"]] in (
                "",
                challenge_of(form["code_verifier"]),
            )
        else:
            right = form["refresh_token"] == self.refresh and not self.revoked
        if not right:
            return 400, {"error": "invalid_grant", "error_description": "Token revoked."}
        self.given += 1
        self.refresh, self.access = f"refresh-{self.given}", f"access-{self.given}"
        return 200, {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "something the provider calls otherwise",
            "id_token": f"e30.{_part({'email': self.account})}.",
        }

    def provider(self) -> oauth.Provider:
        """To stand in for Google."""
        return oauth.Provider(
            "Google", "https://accounts.example/auth", self.url, "mail", "127.0.0.1", {}
        )

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _part(claims: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

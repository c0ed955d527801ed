"""What every provider must do, and imitations of the real ones on this machine."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from relance.outbox.channels.postal.base import Letter, address_of

from .conftest import NOW
from .web_server import Reply, Request

SENDER = ["Atelier Martin", "4 rue des Ajoncs", "29000 QUIMPER", "SIREN 552 100 554"]
RECIPIENT = ["Dupont SARL", "Mme Rault", "12 rue du Port", "29200 BREST"]


def letter(key: str = "key-1", *, service: str = "normal", to: list[str] | None = None) -> Letter:
    return Letter(
        pdf=b"%PDF-1.7 a letter",
        sender=address_of(SENDER),
        recipient=address_of(to or RECIPIENT),
        service=service,
        key=key,
    )


@dataclass
class Bureau:
    """Merci Facteur as its documentation describes it: tokens of a day, `antidoublon`, errors."""

    service: str = "srv1"
    secret: str = "s3cret"
    user: int = 17460
    price: str = "1.52"
    token: int = 0
    taken: dict[int, dict[str, str]] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    printed: set[int] = field(default_factory=set)
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    proofs: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    scripted: list[Reply | None] = field(default_factory=list)
    """Replies to the next submissions; `hang` after it was taken, other ones instead of it."""

    def __call__(self, request: Request) -> Reply:
        path = request.path.rpartition("/")[2]
        if path == "getToken":
            return self._log_in(request)
        if request.headers.get("ww-access-token") != f"token-{self.token}":
            return _json({"success": False, "error": "INVALID_TOKEN"}, 401)
        verb: Any = getattr(self, f"_{path}")
        reply: Reply = verb(request)
        return reply

    def expire(self) -> None:
        """The token that was given is worth nothing any more."""
        self.token += 1

    def _log_in(self, request: Request) -> Reply:
        signed = f"{self.service}{request.headers['ww-timestamp']}".encode()
        right = hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        if request.headers["ww-service-signature"] != right:
            return _json({"success": False, "error": {"code": "BAD_SIGNATURE", "text": "non"}}, 401)
        self.token += 1
        until = int((NOW + timedelta(hours=24)).timestamp())
        return _json({"success": True, "token": f"token-{self.token}", "expire": until})

    def _getQuotaCompte(self, request: Request) -> Reply:  # noqa: N802
        return _json({"success": True, "quotas": {"credit": "12,30 €"}})

    def _sendCourrier(self, request: Request) -> Reply:  # noqa: N802
        scripted = self.scripted.pop(0) if self.scripted else None
        if scripted and not scripted.hang:
            return scripted
        form = request.form
        people, content = json.loads(form["adress"]), json.loads(form["content"])
        for person in [people["exp"], *people["dest"]]:
            if len(person) != 11 or not (person["societe"] or person["nom"]):
                return _refused("INFO_ADDRESS_MISSING")
            if not (person["cp"] and person["ville"] and person["pays"]):
                return _refused("INFO_ADDRESS_MISSING")
        if content["photo"] != "" or content["card"] != "" or content["letter"]["files"] != "":
            return _refused("LETTER_INVALID_FILES")
        if not base64.b64decode(content["letter"]["base64files"][0]).startswith(b"%PDF"):
            return _refused("LETTER_INVALID_BASE64_FILES")
        if any(known["antidoublon"] == form["antidoublon"] for known in self.taken.values()):
            return _refused("ANTIDOUBLON_ALREADY_USED")
        number = len(self.taken) + 501
        self.taken[number] = form
        if scripted:
            return scripted
        price = {"total": {"ht": self.price, "ttc": "1.82"}}
        return _json({"success": True, "envoi_id": number, "price": price})

    def _getSuiviEnvoi(self, request: Request) -> Reply:  # noqa: N802
        number = int(request.query["idEnvoi"])
        if number not in self.taken:
            return _refused("UNKNOWN_ENVOI")
        events = self.events.get(number, [])
        if number in self.cancelled:
            events = []
        return _json({"success": True, "statutPrintEnvoi": "", "suiviCourrier": events})

    def _getProof(self, request: Request) -> Reply:  # noqa: N802
        found = self.proofs.get((request.query["trackingNumber"], request.query["document"]))
        if found is None:
            return _refused("NO_PROOF")
        kind, content = found
        document = base64.b64encode(content).decode()
        return _json({"success": True, "format_return": kind, "document": document})

    def _deleteEnvoi(self, request: Request) -> Reply:  # noqa: N802
        number = int(request.query["idEnvoi"])
        if request.method != "DELETE" or number in self.printed or number in self.cancelled:
            return _refused("ENVOI_TOO_ADVANCED")
        self.cancelled.add(number)
        return _json({"success": True})

    def _getPostagePrice(self, request: Request) -> Reply:  # noqa: N802
        return _json({"success": True, "total": [{"ht": self.price}]})


def _json(what: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(what).encode())


def _refused(code: str) -> Reply:
    return _json({"success": False, "error": {"code": code, "text": "refus"}}, 400)

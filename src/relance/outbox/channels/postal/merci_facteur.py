"""Merci Facteur, API 1.2, as documented on merci-facteur.com/api/1.2 and in its own repository.

What shapes this adapter: a token of 24 hours signed with HMAC-SHA256; fields that are JSON inside
a form, with every key present; `antidoublon`, our key, which for 30 days makes a second submission
an error instead of a letter; no way to ask whether a submission arrived; a call back (webhook) for
every event, with the proofs inside. What its page on follow-up does not spell out is read
leniently: an entry without a known code is left out, never guessed.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode

from relance.outbox import http
from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.base import NORMAL, TRACKED, Address, Letter
from relance.outbox.channels.tracking import (
    AlreadyTakenError,
    CannotTellError,
    Event,
    Proof,
    Taken,
)

BASE = "https://www.merci-facteur.com/api/1.2/prod/service"
ANY_ADDRESS = "111.111.111"
"""What its documentation wants as the authorised address when that restriction is lifted."""
MODES = {NORMAL: "normal", TRACKED: "suivi", "lrar": "lrar", "lrare": "lrare"}
KEYS = (
    "civilite",
    "nom",
    "prenom",
    "societe",
    "adresse1",
    "adresse2",
    "adresse3",
    "cp",
    "ville",
    "pays",
    "reference",
)
CODES = {
    "wait": tracking.QUEUED,
    "imprime": tracking.PRINTED,
    "pris_en_charge": tracking.POSTED,
    "traitement": tracking.IN_TRANSIT,
    "prix_en_charge_pays_destinataire": tracking.IN_TRANSIT,
    "traitement_pays_destination": tracking.IN_TRANSIT,
    "transit_pays_intermediaire": tracking.IN_TRANSIT,
    "attente_presentation": tracking.IN_TRANSIT,
    "distribution_en_cours": tracking.IN_TRANSIT,
    "probleme_en_cours": tracking.IN_TRANSIT,
    "probleme_resolu": tracking.IN_TRANSIT,
    "attente_au_guichet": tracking.WAITING,
    "distribue": tracking.DELIVERED,
    "retour_expediteur": tracking.RETURNED,
    "distribue_expediteur": tracking.RETURNED,
    "archivage_pnd": tracking.RETURNED,
    "non_distribuable": tracking.RETURNED,
    "refused": tracking.REFUSED,
    "expired": tracking.UNCLAIMED,
    "scan_pdd": tracking.DEPOSIT,
    "retour_are": tracking.RECEIPT,
}
"""`statut_courrier` in our words; a problem on the way is no end, it may be solved."""

_ACCOUNT = ("TOKEN", "SERVICE", "ACCESS", "AUTH", "CREDIT", "QUOTA", "SOLDE", "IP", "SIGNATURE")
_TWICE = ("DOUBLON", "DUPLICATE")
_KINDS = {"pdf": "application/pdf", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


class Keys(NamedTuple):
    """What its tab « API » shows; `user` is the number of the user in whose name letters leave."""

    service: str
    secret: str
    user: int


class MerciFacteur:
    """One account. `token()` gives the stored token while it is valid, `keep` stores a new one."""

    def __init__(
        self,
        keys: Keys,
        *,
        token: str = "",
        token_until: datetime | None = None,
        keep: Callable[[str, datetime], None] = lambda token, until: None,
        base: str = BASE,
    ) -> None:
        self.keys = keys
        self.base = base
        self._token, self._until, self._keep = token, token_until, keep

    def check(self, *, at: datetime) -> str:
        """Asks for the quota of the account: it costs nothing and needs everything to be right."""
        found = self._ask("GET", "/getQuotaCompte", at=at)
        quota = found.get("quotas")
        return ", ".join(f"{k} : {v}" for k, v in quota.items()) if isinstance(quota, dict) else ""

    def submit(self, letter: Letter, *, at: datetime, hand_over: Callable[[], None]) -> Taken:
        """See PostalProvider. Only an answer that says so is a refusal: all else is uncertain."""
        form = self._form(letter)
        self._logged_in(at)
        hand_over()
        answer = self._post(form)
        if answer.status == 401:  # it says that nothing was taken: one more try with a new token
            self._log_in(at)
            answer = self._post(form)
        found = _read(answer.body)
        if found is None or not isinstance(found.get("success"), bool):
            if answer.status in (401, 429):
                raise DeliveryError(f"HTTP {answer.status}", code=answer.status)
            raise DeliveryError(f"HTTP {answer.status}: unreadable", uncertain=True)
        if found["success"]:
            return Taken(str(found.get("envoi_id") or ""), _cents(found))
        raise _refusal(found, answer.status)

    def find(self, key: str, *, at: datetime) -> Taken | None:
        """It offers no such question: only a person can settle what is in doubt."""
        raise CannotTellError

    def status(self, ref: str, *, at: datetime) -> list[Event]:
        found = self._ask("GET", f"/getSuiviEnvoi?{urlencode({'idEnvoi': ref})}", at=at)
        events = {
            Event(when, CODES[code], str(entry.get("statut_description") or ""))
            for entry in _entries(found.get("suiviCourrier"))
            if (code := _code_of(entry)) in CODES and (when := _moment(entry))
        }
        return sorted(events)

    def proofs(self, ref: str, *, at: datetime) -> list[Proof]:
        found = self._ask("GET", f"/getSuiviEnvoi?{urlencode({'idEnvoi': ref})}", at=at)
        numbers = dict.fromkeys(
            str(number)
            for entry in _entries(found.get("suiviCourrier"))
            if (number := entry.get("tracking_number") or entry.get("trackingNumber"))
        )
        got = []
        for number in numbers:
            for kind, name in ((tracking.DEPOSIT, "depot"), (tracking.RECEIPT, "reception")):
                proof = self._proof(number, kind, name, at)
                got += [proof] if proof else []
        return got

    def _proof(self, number: str, kind: str, name: str, at: datetime) -> Proof | None:
        """None while it does not exist: the service then answers with a refusal."""
        query = urlencode({"trackingNumber": number, "document": name})
        try:
            found = self._ask("GET", f"/getProof?{query}", at=at)
        except DeliveryError as error:
            if error.permanent:
                return None
            raise
        mime = _KINDS.get(str(found.get("format_return", "")).lower())
        content = _decoded(found.get("document"))
        return Proof(kind, mime, content) if mime and content else None

    def cancel(self, ref: str, *, at: datetime) -> bool:
        """A yes only says that the request was noted: `status` tells what became of it."""
        try:
            self._ask("DELETE", f"/deleteEnvoi?{urlencode({'idEnvoi': ref})}", at=at)
        except DeliveryError as error:
            if error.permanent:
                return False
            raise
        return True

    def price(
        self, *, service: str, pages: int, colour: bool, duplex: bool, at: datetime
    ) -> int | None:
        query = [
            ("modeEnvoi[]", MODES[service]),
            ("paysDestinataire[]", "FRANCE"),
            ("letterPageNumber", str(pages)),
            ("letterPrintSides", "rectoverso" if duplex else "recto"),
        ]
        return _cents(self._ask("GET", f"/getPostagePrice?{urlencode(query)}", at=at))

    def _form(self, letter: Letter) -> dict[str, str]:
        content = {
            "letter": {
                "files": "",
                "base64files": [base64.b64encode(letter.pdf).decode()],
                "print_sides": "rectoverso" if letter.duplex else "recto",
                "final_filename": letter.key[:50],
            },
            "photo": "",
            "card": "",
        }
        reference = letter.key[:30]
        people = {
            "exp": _person(letter.sender, ""),
            "dest": [_person(letter.recipient, reference)],
        }
        form = {
            "idUser": str(self.keys.user),
            "modeEnvoi": MODES[letter.service],
            "adress": json.dumps(people, ensure_ascii=False),
            "content": json.dumps(content),
            "designation": letter.key[:50],
            "antidoublon": letter.key[:200],
        }
        if letter.wanted_on:
            form["dateEnvoi"] = letter.wanted_on.isoformat()
        return form

    def _post(self, form: Mapping[str, str]) -> http.Answer:
        try:
            return http.call(
                "POST",
                f"{self.base}/sendCourrier",
                headers={**self._headers(), "Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
                seconds=60,
            )
        except http.NotSentError as fault:
            raise DeliveryError(str(fault), unreachable=True) from fault
        except http.LostError as fault:
            raise DeliveryError(str(fault), uncertain=True) from fault

    def _ask(self, method: str, target: str, *, at: datetime) -> dict[str, Any]:
        """A question that may be put again: a token refused is renewed once."""
        self._logged_in(at)
        answer = self._call(method, target)
        if answer.status == 401:
            self._log_in(at)
            answer = self._call(method, target)
        found = _read(answer.body)
        if found is None or answer.status >= 500:
            raise DeliveryError(f"HTTP {answer.status}", code=answer.status)
        if found.get("success") is not True:
            raise _refusal(found, answer.status)
        return found

    def _call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None
    ) -> http.Answer:
        try:
            return http.call(
                method, f"{self.base}{target}", headers=headers or self._headers(), seconds=20
            )
        except http.CallError as fault:
            raise DeliveryError(str(fault), unreachable=True) from fault

    def _headers(self) -> dict[str, str]:
        return {"ww-service-id": self.keys.service, "ww-access-token": self._token}

    def _logged_in(self, at: datetime) -> None:
        if not self._token or self._until is None or self._until <= at + timedelta(minutes=1):
            self._log_in(at)

    def _log_in(self, at: datetime) -> None:
        """A new token; whatever fails here, no letter was handed over."""
        stamp = str(int(at.timestamp()))
        signed = hmac.new(
            self.keys.secret.encode(), f"{self.keys.service}{stamp}".encode(), hashlib.sha256
        )
        headers = {
            "ww-service-signature": signed.hexdigest(),
            "ww-timestamp": stamp,
            "ww-service-id": self.keys.service,
            "ww-authorized-ip": ANY_ADDRESS,
        }
        answer = self._call("GET", "/getToken", headers)
        found = _read(answer.body) or {}
        if found.get("success") is not True or not isinstance(found.get("token"), str):
            _code, text = _error(found)
            raise DeliveryError(
                text or f"HTTP {answer.status}", code=answer.status, unreachable=True
            )
        self._token = found["token"]
        self._until = _stamp(found.get("expire")) or at + timedelta(hours=23)
        self._keep(self._token, self._until)


class Told(NamedTuple):
    """One line of a call back: the number of the sending, our key, what happened, a document."""

    ref: str
    key: str
    event: Event
    proof: Proof | None


def read_call(form: Mapping[str, str]) -> list[Told]:
    """What a call back (webhook) tells; raises ValueError for what is none of theirs."""
    try:
        event, detail = json.loads(form["event"]), json.loads(form["detail"])
    except KeyError as missing:
        raise ValueError(str(missing)) from missing
    if not isinstance(event, dict) or not isinstance(detail, list):
        raise ValueError("event and detail")
    when = _stamp(event.get("date_event"))
    if when is None:
        raise ValueError("date_event")
    told = []
    for entry in detail:
        if not isinstance(entry, dict):
            raise ValueError("detail")
        status = CODES.get(_code_of(entry))
        if status is None:
            continue
        words = str(entry.get("statut_description") or "")
        known = Event(when, status, words)
        reference = str(entry.get("ref_interne") or "")
        told.append(Told(str(entry.get("id_envoi") or ""), reference, known, _attached(entry)))
    return told


def _attached(entry: Mapping[str, Any]) -> Proof | None:
    if content := _decoded(entry.get("pdd_base64_pdf")):
        return Proof(tracking.DEPOSIT, "application/pdf", content)
    if content := _decoded(entry.get("are_base64_jpeg")):
        return Proof(tracking.RECEIPT, "image/jpeg", content)
    return None


def _person(address: Address, reference: str) -> dict[str, str]:
    """All of its keys, those unused empty; four lines or more: the second becomes the person."""
    lines = list(address.lines)
    person = lines.pop(0) if len(lines) > 3 else ""
    lines = [*lines[:2], ", ".join(lines[2:])] if len(lines) > 3 else lines
    known = {
        "societe": address.name[:90],
        "nom": person[:70],
        "cp": address.postcode[:12],
        "ville": address.city[:70],
        "pays": address.country,
        "reference": reference,
    }
    known |= {f"adresse{n}": line[:90] for n, line in enumerate(lines, 1)}
    return {key: known.get(key, "") for key in KEYS}


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _error(found: Mapping[str, Any]) -> tuple[str, str]:
    error = found.get("error")
    if isinstance(error, dict):
        code = str(error.get("code") or "")
        return code, " ".join(filter(None, [code, str(error.get("text") or "")]))
    return str(error or ""), str(error or "")


def _refusal(found: Mapping[str, Any], status: int) -> Exception:
    """It says no: the letter, the account, or because it has this key already."""
    code, text = _error(found)
    if any(word in code.upper() for word in _TWICE):
        return AlreadyTakenError()
    words = code.upper().replace("-", "_").split("_")
    account = status in (401, 402, 403) or any(word in words for word in _ACCOUNT)
    if account:
        return DeliveryError(text, code=status, unreachable=True)
    return DeliveryError(text or f"HTTP {status}", permanent=status != 429, code=status)


def _entries(found: Any) -> Iterator[Mapping[str, Any]]:
    """Every object inside a list of lists or objects, whatever its depth."""
    if isinstance(found, dict):
        yield found
        for value in found.values():
            yield from _entries(value)
    elif isinstance(found, list):
        for value in found:
            yield from _entries(value)


def _code_of(entry: Mapping[str, Any]) -> str:
    return str(entry.get("statut_courrier") or entry.get("statut") or "")


def _moment(entry: Mapping[str, Any]) -> datetime | None:
    return _stamp(entry.get("date_event")) or _stamp(entry.get("date"))


def _stamp(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        return b""


def _cents(found: Mapping[str, Any]) -> int | None:
    """`price.total.ht` in euros, as cents; None when there is none to read."""
    price: Any = found.get("price")
    total = price.get("total") if isinstance(price, dict) else found.get("total")
    total = total[0] if isinstance(total, list) and total else total
    amount = total.get("ht") if isinstance(total, dict) else None
    try:
        return round(Decimal(str(amount).replace(",", ".")) * 100)
    except (ArithmeticError, ValueError):
        return None

"""Any provider of SMS that takes one HTTP request per message, described by a recipe.

The recipe says where to, with which fields, how to read the answer; what is secret in it
(headers, body) lies apart, encrypted. Texts are put into its places as data: no quote, ampersand
or line break of a message can change the request.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from relance.outbox import http
from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.sms.base import Sms
from relance.outbox.channels.tracking import CannotTellError, Event, Taken

PLACES = ("to", "text", "sender", "reference")
KINDS = {"json": "application/json", "form": "application/x-www-form-urlencoded", "none": ""}
_PLACE = re.compile(r"\{(to|text|sender|reference|ref)\}")
_WEB = re.compile(r"https?://[^/?#{]")
_STATUSES = re.compile(r"\s*\d{3}(?:\s*-\s*\d{3})?\s*(?:,\s*\d{3}(?:\s*-\s*\d{3})?\s*)*")


class RecipeError(ValueError):
    """A recipe that cannot work; `field` names what is wrong, `code` how."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(f"{field}: {code}")
        self.field = field
        self.code = code


@dataclass(frozen=True)
class Recipe:
    """How one provider is spoken to. Statuses are HTTP ones, as `200-299, 409`.

    `ref_path`: where the answer holds the reference, keys and numbers joined by dots. `to_plus`:
    numbers keep their `+`. `refused`: it was not taken and never will be; `later`: it was not
    taken, try again; `account`: the account is at fault; any other answer leaves the message
    uncertain. `status_url` with {ref} is asked about deliveries; `report_ref` and `status_path`
    say where a report holds the reference and the word of its state.
    """

    url: str = ""
    method: str = "POST"
    kind: str = "json"
    to_plus: bool = True
    ref_path: str = ""
    success: str = "200-299"
    refused: str = "400, 404, 409, 422"
    later: str = "429, 503"
    account: str = "401-403"
    status_url: str = ""
    report_ref: str = ""
    status_path: str = ""
    delivered: str = "delivered, delivrd"
    failed: str = "failed, undelivered, undeliv, rejected, expired, error"

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Recipe":
        """From what was stored; unknown keys are left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in stored.items() if key in known})

    def stored(self) -> dict[str, Any]:
        """What `of` reads."""
        return asdict(self)

    def stays_with(self, before: "Recipe") -> bool:
        """It speaks to no other host than the one before: secrets kept for that stay with it."""
        return self._hosts() <= before._hosts()

    def _hosts(self) -> set[tuple[str, str]]:
        parts = [urlsplit(url.strip()) for url in (self.url, self.status_url) if url.strip()]
        return {(part.scheme.lower(), part.netloc.lower()) for part in parts}


def check_recipe(recipe: Recipe, *, headers: str, body: str) -> None:
    """Raises RecipeError for what could never work."""
    if not recipe.url:
        raise RecipeError("url", "EMPTY")
    for name in ("url", "status_url"):
        where = getattr(recipe, name)
        if where and not _WEB.match(where):
            raise RecipeError(name, "WEB")
    if recipe.method not in ("GET", "POST", "PUT"):
        raise RecipeError("method", "UNKNOWN")
    for name in ("success", "refused", "later", "account"):
        text = getattr(recipe, name)
        if text.strip() and not _STATUSES.fullmatch(text):
            raise RecipeError(name, "STATUSES")
    for line in headers.splitlines():
        name, colon, value = line.partition(":")
        sound = re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name.strip()) and value.isprintable()
        if line.strip() and not (colon and sound and value.isascii()):
            raise RecipeError("headers", "HEADERS")
    if recipe.kind == "json":
        try:
            json.loads(body)
        except ValueError as fault:
            raise RecipeError("body", "JSON") from fault
    where = f"{recipe.url} {body if recipe.kind != 'none' else ''}"
    for place in ("to", "text"):
        if f"{{{place}}}" not in where:
            raise RecipeError("body" if recipe.kind != "none" else "url", "NO_PLACE")
    if recipe.status_url and "{ref}" not in recipe.status_url:
        raise RecipeError("status_url", "NO_PLACE")


class GenericSms:
    """One account. `headers`: one `Name: value` a line; `body`: the template, JSON or a=b&c=d."""

    def __init__(self, recipe: Recipe, *, headers: str, body: str) -> None:
        self.recipe, self.headers, self.body = recipe, headers, body

    def send(self, sms: Sms, *, at: datetime, hand_over: Callable[[], None]) -> Taken:
        values = {
            "to": sms.to if self.recipe.to_plus else sms.to.removeprefix("+"),
            "text": sms.text,
            "sender": sms.sender,
            "reference": sms.key,
        }
        url, body = _address(self.recipe.url, values), self._filled(values)
        headers = self._headers()
        hand_over()
        try:
            answer = http.call(self.recipe.method, url, headers=headers, body=body)
        except http.NotSentError as fault:
            raise DeliveryError(str(fault), unreachable=True) from fault
        except http.LostError as fault:
            raise DeliveryError(str(fault), uncertain=True) from fault
        words = f"HTTP {answer.status} {_short(answer.body)}".strip()
        if _is_in(answer.status, self.recipe.success):
            found = _at(_parsed(answer.body), self.recipe.ref_path)
            return Taken(str(found or ""), answer=f"HTTP {answer.status}")
        code = answer.status
        if _is_in(code, self.recipe.account):
            raise DeliveryError(words, code=code, unreachable=True)
        if _is_in(code, self.recipe.later):
            raise DeliveryError(words, code=code)
        if _is_in(code, self.recipe.refused):
            raise DeliveryError(words, code=code, permanent=True)
        raise DeliveryError(words, code=code, uncertain=True)

    def find(self, key: str, *, at: datetime) -> Taken | None:
        """No two providers agree on such a question."""
        raise CannotTellError

    def status(self, ref: str, *, at: datetime) -> list[Event]:
        if not self.recipe.status_url:
            return []
        url = _address(self.recipe.status_url, {"ref": ref})
        try:
            answer = http.call("GET", url, headers=self._headers(), seconds=15)
        except http.CallError as fault:
            raise DeliveryError(str(fault), unreachable=True) from fault
        if not 200 <= answer.status < 300:
            raise DeliveryError(f"HTTP {answer.status}", code=answer.status)
        event = self._event(_parsed(answer.body), at)
        return [event] if event else []

    def read_report(self, data: Any, *, at: datetime) -> tuple[str, Event] | None:
        """A delivery report that the provider sends by itself: whose, and what; None is neither."""
        ref, event = _at(data, self.recipe.report_ref), self._event(data, at)
        return (str(ref), event) if ref and event else None

    def _event(self, data: Any, at: datetime) -> Event | None:
        word = str(_at(data, self.recipe.status_path) or "").strip()
        if _has(self.recipe.delivered, word):
            return Event(at, tracking.DELIVERED, word)
        if _has(self.recipe.failed, word):
            return Event(at, tracking.ERROR, word)
        return None

    def _headers(self) -> dict[str, str]:
        kind = KINDS.get(self.recipe.kind, "")
        found = {"Content-Type": kind} if kind else {}
        for line in self.headers.splitlines():
            name, colon, value = line.partition(":")
            if colon:
                found[name.strip()] = value.strip()
        return found

    def _filled(self, values: Mapping[str, str]) -> bytes:
        if self.recipe.kind == "json":
            try:
                return json.dumps(_in_json(json.loads(self.body), values)).encode()
            except ValueError as fault:
                raise DeliveryError(f"recipe: {fault}", unreachable=True) from fault
        if self.recipe.kind == "form":
            pairs = parse_qsl(self.body.replace("\n", "&"), keep_blank_values=True)
            return urlencode([(name, _filled(value, values)) for name, value in pairs]).encode()
        return b""


def _address(url: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: quote(values.get(found[1], ""), safe=""), url)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values.get(found[1], ""), text)


def _in_json(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _filled(value, values)
    if isinstance(value, list):
        return [_in_json(one, values) for one in value]
    if isinstance(value, dict):
        return {key: _in_json(one, values) for key, one in value.items()}
    return value


def _is_in(status: int, text: str) -> bool:
    for part in text.split(","):
        first, _dash, last = (piece.strip() for piece in part.partition("-"))
        if first.isdecimal() and int(first) <= status <= int(last or first):
            return True
    return False


def _has(words: str, word: str) -> bool:
    known = {one.strip().casefold() for one in words.split(",")}
    return bool(word) and word.casefold() in known


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _at(data: Any, path: str) -> Any:
    """What lies at `a.0.b`; an empty path is nothing."""
    found = data if path else None
    for key in filter(None, path.split(".")):
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found if isinstance(found, str | int) else None


def _short(body: bytes) -> str:
    return re.sub(r"\s+", " ", body[:300].decode("utf-8", "replace")).strip()

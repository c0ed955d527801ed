"""The way in for a provider's webhook: POST /api/inbound/<token>/ with a mail as it came.

The body is the mail itself (`message/rfc822`), or a form with it in a field, as SendGrid ("raw")
and Mailgun ("body-mime") send it. The answer is 200 also for a mail known already, so that a
provider may repeat itself; what follows from the mail is done by the worker.
"""

import json
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import NamedTuple
from urllib.parse import parse_qs

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from relance.accounts import clock
from relance.outbox.inbound.care import webhook_of
from relance.outbox.inbound.intake import MOST_BYTES, take_in

MAIL_FIELDS = ("email", "body-mime", "mail", "message")
TO_FIELDS = ("recipient", "to")
MOST_FORM_PARTS = 100


class Posted(NamedTuple):
    """The mail, empty when there is none, and the addresses that the envelope names."""

    raw: bytes
    to: list[str]


@login_not_required
@csrf_exempt
@require_POST
def inbound_receive(request: HttpRequest, token: str) -> JsonResponse:
    """200 taken in or known; 400 no mail in it; 404 no such way in; 413 too large."""
    inbox = webhook_of(token)
    if inbox is None:
        return JsonResponse({"error": "unknown"}, status=404)
    most = MOST_BYTES + 1_000_000
    announced = request.headers.get("Content-Length", "0")
    if announced.isdecimal() and int(announced[:12]) > most:
        return JsonResponse({"error": "too large", "most": MOST_BYTES}, status=413)
    body = request.read(most + 1)
    if len(body) > most:
        return JsonResponse({"error": "too large", "most": MOST_BYTES}, status=413)
    posted = read_post(request.headers.get("Content-Type", ""), body)
    if b":" not in posted.raw[:100_000]:
        return JsonResponse({"error": "no mail"}, status=400)
    kept = take_in(
        posted.raw,
        inbox=inbox,
        organisation=inbox.organisation,
        now=clock.now(),
        to=posted.to[:50],
    )
    return JsonResponse({"status": "known" if kept is None else "taken"})


def read_post(content_type: str, body: bytes) -> Posted:
    """The mail of a request body of that type; pure."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _of_fields(_form(content_type, body))
    if kind == "application/x-www-form-urlencoded":
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MOST_FORM_PARTS)
        return _of_fields(
            {name: values[0].encode("utf-8", "replace") for name, values in fields.items()}
        )
    return Posted(body, [])


def _of_fields(fields: Mapping[str, bytes]) -> Posted:
    raw = next((fields[name] for name in MAIL_FIELDS if fields.get(name)), b"")
    to = [fields[name].decode("utf-8", "replace") for name in TO_FIELDS if name in fields]
    return Posted(raw, [one.strip() for many in to for one in many.split(",")] + _envelope(fields))


def _envelope(fields: Mapping[str, bytes]) -> list[str]:
    """SendGrid's: {"to": ["…"], "from": "…"}."""
    try:
        told = json.loads(fields.get("envelope", b"{}"))
    except ValueError:
        return []
    to = told.get("to") if isinstance(told, dict) else None
    return [one for one in to if isinstance(one, str)] if isinstance(to, list) else []


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    """Fields and files by name. Read as MIME: Django's own reader refuses large fields."""
    if "\n" in content_type or "\r" in content_type:
        return {}
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace")
    parsed = BytesParser(policy=compat32).parsebytes(head + body)
    parts = parsed.get_payload()
    fields: dict[str, bytes] = {}
    for part in parts[:MOST_FORM_PARTS] if isinstance(parts, list) else []:
        name = isinstance(part, Message) and part.get_param("name", header="content-disposition")
        if not isinstance(part, Message) or not isinstance(name, str):
            continue
        fields.setdefault(name, _content(part))
    return fields


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    inner = part.get_payload()  # declared as message/rfc822, so it was read already
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return inner[0].as_bytes()
    return b""


urlpatterns = [path("inbound/<str:token>/", inbound_receive, name="inbound_receive")]

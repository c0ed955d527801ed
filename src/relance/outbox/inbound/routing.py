"""Whose a mail is: the dossier, the message of ours that it speaks of, the customer.

Nearest evidence first: the Message-ID of ours that came back, the dossier's own address, the
inbox it came to, the writer's address when one dossier only knows it. What belongs to nobody is
nobody's: it is never shown to a dossier by guess.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Q, Value
from django.db.models.functions import Upper
from django.db.models.lookups import Exact

from relance.accounts.models import Organisation
from relance.formats.incoming_mail import Reading
from relance.formats.mail_words import Words
from relance.ledger.models import Contact, Customer
from relance.outbox.inbound.addresses import organisation_of
from relance.outbox.models import Message, Notice


class Route(NamedTuple):
    """`ours`: the mail is one that we sent ourselves (a copy, a message come back whole)."""

    organisation: Organisation | None = None
    message: Message | None = None
    customer_id: int | None = None
    ours: bool = False


def route(
    reading: Reading, words: Words, *, scope: Organisation | None, to: Sequence[str]
) -> Route:
    """Where the mail belongs; `scope` is the dossier whose inbox it came to, if any.

    A message of another dossier than `scope` is not looked at: an inbox shows its own only.
    """
    if words.own_id and _is_ours(words.own_id):
        return Route(scope, ours=True)
    message = _message(reading.about, scope)
    if message is not None:
        customer = message.customer_id or customer_of(message.organisation, words.sender)
        return Route(message.organisation, message, customer)
    organisation = (
        scope
        or _of_notice(reading.about)
        or organisation_of([*to, *words.to])
        or _only_one_that_knows(words.sender)
    )
    if organisation is None:
        return Route()
    about = reading.address or words.sender
    return Route(organisation, None, customer_of(organisation, about))


def customer_of(organisation: Organisation, address: str) -> int | None:
    """The one customer of the dossier with this address, his own or a contact's; else None."""
    if not address:
        return None
    known = set(
        Customer.objects.filter(is_at(address), organisation=organisation).values_list(
            "pk", flat=True
        )[:2]
    )
    known |= set(
        Contact.objects.filter(is_at(address), organisation=organisation).values_list(
            "customer_id", flat=True
        )[:2]
    )
    return known.pop() if len(known) == 1 else None


def is_at(address: str) -> Exact:
    """Whose `email` is this address, its case left aside, as the indexes on it have it.

    `iexact` is a LIKE on SQLite, which no index serves.
    """
    return Exact(Upper("email"), Upper(Value(address)))


def _is_ours(own_id: str) -> bool:
    return (
        Message.objects.filter(message_ref=own_id).exists()
        or Notice.objects.filter(message_ref=own_id).exists()
    )


def _message(refs: Sequence[str], scope: Organisation | None) -> Message | None:
    """The nearest message of ours that is spoken of."""
    wanted = Q(message_ref__in=refs)
    if scope is not None:
        wanted &= Q(organisation=scope)
    found = {one.message_ref: one for one in Message.objects.filter(wanted)} if refs else {}
    return next((found[ref] for ref in refs if ref in found), None)


def _of_notice(refs: Sequence[str]) -> Organisation | None:
    notice = Notice.objects.filter(message_ref__in=refs).first() if refs else None
    return notice.organisation if notice else None


def _only_one_that_knows(sender: str) -> Organisation | None:
    if not sender:
        return None
    known: set[int] = set()
    for model in (Customer, Contact):
        known |= set(
            model.objects.filter(is_at(sender)).values_list("organisation_id", flat=True)[:3]
        )
    return Organisation.objects.get(pk=known.pop()) if len(known) == 1 else None

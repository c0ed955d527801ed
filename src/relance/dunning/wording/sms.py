"""An SMS from the message of a step: to which number, in which words."""

import re
from collections.abc import Iterable
from dataclasses import replace

from relance.formats.phones import PhoneError, mobile
from relance.ledger.models import Contact, Customer
from relance.outbox.services import Draft


def number_of(customer: Customer, contacts: Iterable[Contact] = ()) -> str:
    """The mobile number of a customer in E.164: its own, else that of a default contact, else of
    any; empty when there is none. Raises PhoneError when it has a number that cannot be used.
    """
    typed = [] if customer.phone_invalid_since else [customer.phone]
    people = sorted(contacts, key=lambda one: not one.is_default)
    fault: PhoneError | None = None
    for text in [*typed, *(person.phone for person in people)]:
        try:
            return mobile(text, customer.country)
        except PhoneError as refused:
            fault = fault or (refused if refused.code != "EMPTY" else None)
    if fault:
        raise fault
    return ""


def as_sms(draft: Draft, customer: Customer, contacts: Iterable[Contact]) -> Draft:
    """The same message as an SMS: its text alone, to a number, or to none (outbox: NO_PHONE)."""
    try:
        number = number_of(customer, contacts)
    except PhoneError:
        number = ""
    return replace(
        draft,
        channel="sms",
        recipients=[number] if number else [],
        text=shortened(draft.text),
        html="",
        sender=draft.organisation.name[:200],
        reply_to="",
        files=(),
        enclosed=(),
    )


_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": ""})


def shortened(text: str) -> str:
    """Without blank lines in a row and spaces at the ends: every sign is paid for.

    The no-break spaces of our amounts become plain ones: a single one would halve what fits.
    """
    text = text.translate(_SPACES)
    return re.sub(r"\n{2,}", "\n", re.sub(r"[ \t]+\n", "\n", text)).strip()

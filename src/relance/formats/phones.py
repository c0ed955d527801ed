"""Telephone numbers as people type them, as networks want them (E.164), and as they are read."""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

NO_SMS = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.VOIP,
        PhoneNumberType.UAN,
    }
)


class PhoneError(ValueError):
    """No number for this use: `code` is EMPTY, INVALID, or FIXED (it cannot receive an SMS)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def e164(text: str, region: str = "FR") -> str:
    """`06 12 34 56 78` as `+33612345678`. `region`: ISO country of a number without prefix."""
    return phonenumbers.format_number(_parsed(text, region), PhoneNumberFormat.E164)


def mobile(text: str, region: str = "FR") -> str:
    """Like `e164`, for a number that may receive an SMS. Raises PhoneError."""
    number = _parsed(text, region)
    if phonenumbers.number_type(number) in NO_SMS:
        raise PhoneError("FIXED", text)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def tel(text: str, region: str = "FR") -> str:
    """What stands after `tel:` in a link, empty when it is no number."""
    try:
        return e164(text, region)
    except PhoneError:
        return ""


def spaced(text: str, region: str = "FR") -> str:
    """As people read it, `06 12 34 56 78`; unchanged when it is no number."""
    try:
        number = _parsed(text, region)
    except PhoneError:
        return text
    home = phonenumbers.region_code_for_number(number) == (region or "FR").upper()
    kind = PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, kind)


def _parsed(text: str, region: str) -> PhoneNumber:
    if not text.strip():
        raise PhoneError("EMPTY", text)
    try:
        number = phonenumbers.parse(text, (region or "FR").upper())
    except NumberParseException as fault:
        raise PhoneError("INVALID", text) from fault
    if not phonenumbers.is_valid_number(number):
        raise PhoneError("INVALID", text)
    return number

"""ISO 20022 statements: camt.052, 053 and 054 of any version, read as a stream.

Namespaces differ by version and are ignored; entities are never expanded and nothing is fetched.
"""

import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from lxml import etree

from relance.formats.bank.model import Movement, Statement, checked, ranked
from relance.formats.faults import Fault, Refused

_STATEMENTS = ("Stmt", "Rpt", "Ntfctn")
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)
_ANNOUNCED = ("PDNG", "FUTR")
_TOO_LARGE = Decimal(10) ** 13


def is_camt(head: bytes) -> bool:
    """True when the beginning of a file names an ISO 20022 bank-to-customer message."""
    return b"camt.05" in head or b"BkToCstmr" in head


def read_camt(raw: bytes) -> list[Statement] | Fault:
    """Statements in the order of the file; one movement per transaction of a batch entry."""
    statements: list[Statement] = []
    try:
        for element in _elements(raw):
            statements.append(_statement(element))
            element.clear()
    except etree.XMLSyntaxError as error:
        return Fault("bank_broken", line=error.lineno, facts={"why": "XML mal formé"})
    except Refused as refusal:
        return refusal.fault
    return statements or Fault("bank_no_statement")


def _elements(raw: bytes) -> Iterator[etree._Element]:
    tags = tuple(f"{{*}}{name}" for name in _STATEMENTS)
    events = etree.iterparse(
        io.BytesIO(raw), events=("end",), tag=tags, resolve_entities=False, no_network=True
    )
    for _event, element in events:
        if element.getroottree().docinfo.internalDTD is not None:
            raise Refused(Fault("bank_broken", facts={"why": "il contient une DTD"}))
        yield element


def _statement(node: etree._Element) -> Statement:
    account = _text(node, "Acct/Id/IBAN") or _text(node, "Acct/Id/Othr/Id")
    currency = _text(node, "Acct/Ccy")
    balances: dict[str, tuple[int, str, date | None]] = {}
    for balance in _all(node, "Bal"):
        code = _text(balance, "Tp/CdOrPrtry/Cd")
        amount, ccy = _amount(balance)
        balances.setdefault(code, (amount, ccy, _day(balance, "Dt")))
    opening = next((balances[code] for code in _OPENING if code in balances), None)
    closing = next((balances[code] for code in _CLOSING if code in balances), None)
    currency = currency or (opening or closing or (0, "EUR", None))[1]
    same = [one if one and one[1] == currency else None for one in (opening, closing)]
    told = [one for entry in _all(node, "Ntry") for one in _entry(entry)]
    return checked(
        Statement(
            account=account,
            currency=currency,
            movements=ranked(one for one in told if not one.pending),
            pending=ranked(one for one in told if one.pending),
            number=_text(node, "Id"),
            opening=same[0][0] if same[0] else None,
            opening_on=same[0][2] if same[0] else None,
            closing=same[1][0] if same[1] else None,
            closing_on=same[1][2] if same[1] else None,
        )
    )


def _entry(entry: etree._Element) -> Iterator[Movement]:
    """What an entry tells by its status: booked, announced (PDNG, FUTR), or mere information."""
    status = (_text(entry, "Sts/Cd") or _text(entry, "Sts")).upper()
    if status == "INFO":
        return
    for one in _movements(entry):
        yield one._replace(pending=status in _ANNOUNCED)


def _movements(entry: etree._Element) -> Iterator[Movement]:
    """One movement per entry, or per transaction of a batch that says its amounts."""
    amount, currency = _amount(entry)
    booked = _day(entry, "BookgDt") or _day(entry, "ValDt")
    if booked is None:
        raise Refused(
            Fault(
                "bank_bad_date",
                line=_line(entry),
                facts={"value": _text(entry, "BookgDt")},
            )
        )
    whole = Movement(
        booked=booked,
        valued=_day(entry, "ValDt"),
        amount=amount,
        currency=currency,
        label=_text(entry, "AddtlNtryInf"),
        bank_ref=_text(entry, "AcctSvcrRef"),
        reversal=_text(entry, "RvslInd") in ("true", "1"),
        line=_line(entry),
    )
    details = _all(entry, "NtryDtls/TxDtls")
    parts = [_detailed(whole, one, amount) for one in details]
    stated = [_part_amount(one, amount) for one in details]
    if len(parts) > 1 and None not in stated and sum(cents or 0 for cents in stated) == amount:
        for rank, (part, cents) in enumerate(zip(parts, stated, strict=True)):
            reference = part.bank_ref
            if reference and reference == whole.bank_ref:
                reference = f"{reference}/{rank + 1}"
            yield part._replace(amount=cents or 0, bank_ref=reference)
    else:
        yield parts[0] if parts else whole


def _detailed(whole: Movement, node: etree._Element, amount: int) -> Movement:
    side, agent = ("Dbtr", "DbtrAcct") if amount >= 0 else ("Cdtr", "CdtrAcct")
    if whole.reversal:
        side, agent = ("Cdtr", "CdtrAcct") if amount >= 0 else ("Dbtr", "DbtrAcct")
    words = " ".join(" ".join(one.text.split()) for one in _all(node, "RmtInf/Ustrd") if one.text)
    end_to_end = _text(node, "Refs/EndToEndId")
    structured = _text(node, "RmtInf/Strd/CdtrRefInf/Ref")
    name = _text(node, f"RltdPties/{side}/Nm") or _text(node, f"RltdPties/{side}/Pty/Nm")
    account = _text(node, f"RltdPties/{agent}/Id/IBAN")
    return whole._replace(
        label=words or whole.label or _text(node, "AddtlTxInf"),
        reference=structured or ("" if end_to_end == "NOTPROVIDED" else end_to_end),
        bank_ref=_text(node, "Refs/AcctSvcrRef") or whole.bank_ref,
        name=name,
        iban=account or _text(node, f"RltdPties/{agent}/Id/Othr/Id"),
    )


def _part_amount(node: etree._Element, amount: int) -> int | None:
    """Signed cents of one transaction of a batch: in the sense of its entry, or its own."""
    found = _first(node, "Amt")
    if found is None:
        found = _first(node, "AmtDtls/TxAmt/Amt")
    if found is None:
        return None
    cents = _cents(found)
    sense = _text(node, "CdtDbtInd")
    sign = {"CRDT": 1, "DBIT": -1}.get(sense, 1 if amount >= 0 else -1)
    return sign * cents


def _amount(node: etree._Element) -> tuple[int, str]:
    found = _first(node, "Amt")
    if found is None:
        raise Refused(Fault("bank_bad_amount", line=_line(node), facts={"value": ""}))
    sign = -1 if _text(node, "CdtDbtInd") == "DBIT" else 1
    return sign * _cents(found), found.get("Ccy") or "EUR"


def _cents(node: etree._Element) -> int:
    text = (node.text or "").strip()
    try:
        value = Decimal(text)
        if not value.is_finite() or abs(value) >= _TOO_LARGE:
            raise InvalidOperation
    except InvalidOperation:
        fault = Fault("bank_bad_amount", line=_line(node), facts={"value": text})
        raise Refused(fault) from None
    return int((value * 100).to_integral_value())


def _day(node: etree._Element, path: str) -> date | None:
    """A local date: of a moment, the day that the bank wrote."""
    text = _text(node, f"{path}/Dt") or _text(node, f"{path}/DtTm")
    if not text:
        return None
    try:
        return (
            date.fromisoformat(text[:10])
            if len(text) >= 10
            else datetime.fromisoformat(text).date()
        )
    except ValueError:
        fault = Fault("bank_bad_date", line=_line(node), facts={"value": text})
        raise Refused(fault) from None


def _all(node: etree._Element, path: str) -> list[etree._Element]:
    found = node.findall("/".join(f"{{*}}{name}" for name in path.split("/")))
    return list(found)


def _first(node: etree._Element, path: str) -> etree._Element | None:
    return next(iter(_all(node, path)), None)


def _text(node: etree._Element, path: str) -> str:
    found = _first(node, path)
    return " ".join((found.text or "").split()) if found is not None else ""


def _line(node: etree._Element) -> int:
    """The line of the file on which an element begins."""
    return int(getattr(node, "sourceline", None) or 0)

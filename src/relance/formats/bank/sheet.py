"""A statement as a table: its columns proposed from the headers, its lines read by a mapping.

A mapping is ``{field code: column index from 0}`` over `FIELDS`; it is remembered under the
`signature` of the header. Amounts are one signed column, a debit and a credit column, or an amount
with a letter or word for its sense.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from relance.formats.amounts import Amount, Decimal, DecimalScan, parse_amount
from relance.formats.bank.model import Movement, Statement, checked, ranked
from relance.formats.columns import signature
from relance.formats.dates import Order, OrderScan, parse_date
from relance.formats.faults import Fault
from relance.formats.tabular import Row, Table
from relance.formats.text import cell_text, fold
from relance.formats.values import currency_of

__all__ = ["FIELDS", "NEEDED", "Sheet", "check", "propose", "read_sheet", "signature"]

FIELDS: dict[str, str] = {
    "booked": "Date",
    "valued": "Date de valeur",
    "label": "Libellé",
    "detail": "Libellé, suite",
    "amount": "Montant",
    "debit": "Débit",
    "credit": "Crédit",
    "sense": "Sens (débit ou crédit)",
    "balance": "Solde",
    "reference": "Référence du client",
    "bank_ref": "Référence de la banque",
    "name": "Nom du tiers",
    "iban": "Compte du tiers",
    "currency": "Devise",
}
"""Code to French label of every field, in the order in which they are offered."""

NEEDED = (("booked",), ("label", "detail", "name"), ("amount", "debit", "credit"))
"""Of each group at least one field must be mapped."""

_NAMES: dict[str, tuple[str, ...]] = {
    "booked": ("date", "date operation", "date d operation", "date comptable", "booking date",
               "date de comptabilisation", "transaction date", "completed date", "jour"),
    "valued": ("date valeur", "date de valeur", "value date", "valeur"),
    "label": ("libelle", "label", "description", "libelle operation", "operation", "intitule",
              "libelle simplifie", "communication", "motif", "transaction", "nature"),
    "detail": ("detail", "details", "libelle complementaire", "informations complementaires",
               "memo", "note", "commentaire", "libelle detaille"),
    "amount": ("montant", "amount", "montant eur", "montant en euros", "montant operation",
               "montant de l operation", "somme"),
    "debit": ("debit", "debits", "debit eur", "debit euros", "sortie", "depenses", "paid out",
              "money out", "montant debit"),
    "credit": ("credit", "credits", "credit eur", "credit euros", "entree", "recettes", "paid in",
               "money in", "montant credit"),
    "sense": ("sens", "d c", "dc", "debit credit", "type", "sens operation"),
    "balance": ("solde", "balance", "solde apres operation", "running balance", "solde courant"),
    "reference": ("reference", "reference client", "end to end id", "ref client"),
    "bank_ref": ("reference banque", "numero d operation", "numero operation", "operation number",
                 "transaction id", "id", "reference operation", "n operation"),
    "name": ("nom", "tiers", "partner name", "beneficiaire", "emetteur", "contrepartie", "payee",
             "name", "nom du tiers", "counterparty"),
    "iban": ("iban", "bank account", "compte tiers", "compte du tiers", "iban tiers", "account"),
    "currency": ("devise", "currency", "monnaie"),
}  # fmt: skip
_OUT = {"d", "debit", "dbit", "db", "dr", "-", "sortie", "depense"}
_IN = {"c", "credit", "crdt", "cr", "+", "entree", "recette"}


class Sheet(NamedTuple):
    """A table read: its statement (faults in `remarks`), and how its dates were understood.

    ``certain`` is False when no date proves which of day and month comes first.
    """

    statement: Statement
    order: Order
    certain: bool


def propose(header: Sequence[str]) -> dict[str, int]:
    """The most likely field of each column; what nothing names is left aside."""
    found: dict[str, int] = {}
    names = [fold(name) for name in header]
    for code, known in _NAMES.items():
        for word in known:
            place = next((i for i, name in enumerate(names) if name == word), None)
            if place is not None and place not in found.values():
                found[code] = place
                break
    if "amount" in found:
        for code in ("debit", "credit"):
            found.pop(code, None)
    return found


def check(columns: Mapping[str, int], width: int) -> str:
    """A French sentence when the mapping cannot be read, else nothing."""
    for code, index in columns.items():
        if code not in FIELDS or not 0 <= index < width:
            return "Une colonne choisie n’existe pas dans le fichier."
    for group in NEEDED:
        if not any(code in columns for code in group):
            names = " ou ".join(f"«\u00a0{FIELDS[code]}\u00a0»" for code in group)
            return f"Dites quelle colonne est {names}."
    return ""


def read_sheet(
    table: Table,
    columns: Mapping[str, int],
    *,
    account: str,
    currency: str = "EUR",
    order: Order | None = None,
) -> Sheet | Fault:
    """The movements of the table, oldest first. Lines without a date are left out and said.

    Faults: `bank_bad_date`, `bank_bad_amount` with their line, `bank_no_statement`.
    """
    rows, remarks = [], []
    for item in table.rows():
        if isinstance(item, Fault):
            if item.severity in ("file", "refused"):
                return item
            remarks.append(item)
        else:
            rows.append(item)
    dated = [row for row in rows if _text(row, columns, "booked")]
    found, certain = _order(dated, columns, order)
    decimals = _decimals(dated, columns)
    movements, balances = [], []
    for row in dated:
        read = _movement(row, columns, currency, found, decimals)
        if isinstance(read, Fault):
            if _is_title(row, columns):
                remarks.append(Fault("bank_line_left", line=row.line))
                continue
            return read
        movements.append(read)
        balances.append(_amount(row, columns, "balance", decimals))
    remarks += [
        Fault("bank_line_left", line=row.line) for row in rows if not _text(row, columns, "booked")
    ]
    if not movements:
        return Fault("bank_no_statement")
    opening, closing, movements = _balanced(movements, balances)
    days = [one.booked for one in movements]
    statement = Statement(
        account=account,
        currency=currency,
        movements=ranked(movements),
        opening=opening,
        opening_on=min(days) if opening is not None else None,
        closing=closing,
        closing_on=max(days) if closing is not None else None,
        remarks=tuple(remarks[:50]),
    )
    return Sheet(checked(statement), found, certain)


def _text(row: Row, columns: Mapping[str, int], code: str) -> str:
    index = columns.get(code, -1)
    return " ".join(cell_text(row.cells[index]).split()) if 0 <= index < len(row.cells) else ""


def _order(
    rows: Sequence[Row], columns: Mapping[str, int], forced: Order | None
) -> tuple[Order, bool]:
    if forced is not None:
        return forced, True
    scan = OrderScan()
    for row in rows:
        if not _is_title(row, columns):
            scan.add(row.line, row.cells[columns["booked"]])
    verdict = scan.verdict()
    return ("dmy", False) if isinstance(verdict, Fault) else (verdict.order, verdict.certain)


def _decimals(rows: Sequence[Row], columns: Mapping[str, int]) -> dict[str, Decimal | None]:
    scans = {code: DecimalScan() for code in ("amount", "debit", "credit", "balance")}
    for row in rows:
        for code, scan in scans.items():
            index = columns.get(code, -1)
            if 0 <= index < len(row.cells):
                scan.add(row.cells[index])
    known = {code: scan.sign for code, scan in scans.items()}
    usual = next((sign for sign in known.values() if sign), None)
    return {code: sign or usual for code, sign in known.items()}


def _is_title(row: Row, columns: Mapping[str, int]) -> bool:
    """« Solde au 31/01 » in the place of a date: a line of the bank's own, not a movement."""
    text = cell_text(row.cells[columns["booked"]])
    return sum(sign.isalpha() for sign in text) > 3 and not isinstance(parse_date(text), date)


def _amount(
    row: Row, columns: Mapping[str, int], code: str, decimals: Mapping[str, Decimal | None]
) -> int | None:
    """Signed cents of a cell, None when it is empty or no number."""
    index = columns.get(code, -1)
    if not 0 <= index < len(row.cells) or not cell_text(row.cells[index]):
        return None
    read = parse_amount(row.cells[index], decimals.get(code))
    return read.cents if isinstance(read, Amount) else None


def _signed(
    row: Row, columns: Mapping[str, int], decimals: Mapping[str, Decimal | None]
) -> int | None:
    """What the line moved: money in is positive. The letter, then the columns, then the sign."""
    amount = _amount(row, columns, "amount", decimals)
    sense = fold(_text(row, columns, "sense")) or _text(row, columns, "sense")
    if amount is not None and sense in _OUT:
        return -abs(amount)
    if amount is not None and sense in _IN:
        return abs(amount)
    if amount is not None:
        return amount
    debit = _amount(row, columns, "debit", decimals)
    credit = _amount(row, columns, "credit", decimals)
    if debit is None and credit is None:
        return None
    return abs(credit or 0) - abs(debit or 0)


def _movement(
    row: Row,
    columns: Mapping[str, int],
    currency: str,
    order: Order,
    decimals: Mapping[str, Decimal | None],
) -> Movement | Fault:
    booked = parse_date(row.cells[columns["booked"]], order)
    if not isinstance(booked, date):
        value = cell_text(row.cells[columns["booked"]])
        return Fault("bank_bad_date", line=row.line, facts={"value": value})
    cents = _signed(row, columns, decimals)
    if cents is None:
        value = " ".join(_text(row, columns, code) for code in ("amount", "debit", "credit"))
        return Fault("bank_bad_amount", line=row.line, facts={"value": value.strip()})
    valued = parse_date(row.cells[columns["valued"]], order) if "valued" in columns else None
    words = dict.fromkeys(_text(row, columns, code) for code in ("label", "detail"))
    name = _text(row, columns, "name")
    return Movement(
        booked=booked,
        valued=valued if isinstance(valued, date) else None,
        amount=cents,
        currency=currency_of(_text(row, columns, "currency")) or currency,
        label=" ".join(word for word in words if word) or name,
        reference=_text(row, columns, "reference"),
        bank_ref=_text(row, columns, "bank_ref"),
        name=name,
        iban=_text(row, columns, "iban"),
        line=row.line,
    )


def _balanced(
    movements: list[Movement], balances: Sequence[int | None]
) -> tuple[int | None, int | None, list[Movement]]:
    """Opening and closing balance when the column of balances adds up, and the oldest first."""
    newest_first = movements[0].booked > movements[-1].booked
    pairs = list(zip(movements, balances, strict=True))
    told = [cents for cents in balances if cents is not None]
    if len(told) == len(pairs) and len(pairs) > 1:
        down = all(later == cents - one.amount for (one, cents), (_two, later) in _pairs(pairs))
        newest_first = newest_first or (down and not _is_rising(pairs))
    if newest_first:
        pairs.reverse()
    ordered = [one for one, _cents in pairs]
    first, last = pairs[0], pairs[-1]
    if first[1] is None or last[1] is None:
        return None, None, ordered
    return first[1] - first[0].amount, last[1], ordered


def _pairs(
    pairs: Sequence[tuple[Movement, int | None]],
) -> list[tuple[tuple[Movement, int], tuple[Movement, int]]]:
    full = [(one, cents) for one, cents in pairs if cents is not None]
    return list(pairwise(full))


def _is_rising(pairs: Sequence[tuple[Movement, int | None]]) -> bool:
    return all(later == cents + two.amount for (_one, cents), (two, later) in _pairs(pairs))

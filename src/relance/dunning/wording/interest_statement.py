"""The statement of interest of a customer as a PDF: each invoice, each stretch of days, its rate.

The words come to Typst as data, never as source; the same facts and moment give the same bytes.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import typst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from relance.accounts.models import Organisation
from relance.dunning.facts.legal import Line, Statement
from relance.dunning.wording import legal_words as words
from relance.dunning.wording.letters import address_lines, sender_lines
from relance.engine import wording
from relance.engine.late_fees import MissingRate, Owed, Piece, half_up
from relance.ledger.models import Customer

SOURCE = Path(__file__).with_suffix(".typ")
LONGEST_WORD = 40


class MissingRateError(ValueError):
    """A rate is not known: no statement, and the text says which one (in the active language)."""

    def __init__(self, missing: MissingRate) -> None:
        super().__init__(words.missing_words(missing))
        self.missing = missing


def pdf(
    organisation: Organisation, customer: Customer, statement: Statement, *, at: datetime
) -> bytes:
    """The statement in the customer's language, as a PDF/A-2b dated `at`.

    Raises MissingRateError, ValueError without any invoice.
    """
    if not statement.lines:
        raise ValueError("no invoice to state")
    with override(customer.language):
        if statement.missing is not None:
            raise MissingRateError(statement.missing)
        data = content(organisation, customer, statement)
    compiler = typst.Compiler(
        str(SOURCE),
        root=str(SOURCE.parent),
        ignore_system_fonts=True,
        sys_inputs={"statement": json.dumps(data, ensure_ascii=False)},
    )
    made = compiler.compile(format="pdf", timestamp=int(at.timestamp()), pdf_standards="a-2b")
    return made if isinstance(made, bytes) else b""


def content(organisation: Organisation, customer: Customer, statement: Statement) -> dict[str, Any]:
    """What the PDF shows, every text in the active language; no rate is missing."""
    return {
        "language": customer.language,
        "from_label": _("Créancier"),
        "from": [_breakable(line) for line in sender_lines(organisation)],
        "to_label": _("Débiteur"),
        "to": [_breakable(line) for line in _debtor(customer)],
        "title": _("Décompte des pénalités de retard"),
        "subtitle": _("Arrêté au %(day)s inclus") % {"day": _day(statement.on)},
        "head": [_("Période"), _("Jours"), _("Solde"), _("Taux annuel"), _("Pénalités")],
        "invoices": [_invoice(line, statement) for line in statement.lines],
        "totals": [_total(statement, currency) for currency in statement.currencies],
        "basis_label": _("Fondements et mode de calcul"),
        "basis": [
            *words.basis_words(statement),
            words.imputation_words(statement),
            _("Solde TTC × taux × jours ÷ 365, un seul arrondi par facture, sans capitalisation."),
        ],
        "footer": _breakable(f"{organisation.name} · {customer.name} ({customer.code})"),
        "page_label": _("Page"),
    }


def piece_rows(pieces: Sequence[Piece], currency: str) -> list[list[str]]:
    """Period, days, balance, rate and exact interest (rounded for showing) of each piece."""
    return [
        [
            _("%(first)s au %(last)s") % {"first": _day(one.first), "last": _day(one.last)},
            str(one.days),
            _money(half_up(one.balance), currency),
            words.rate_words(one.rate) + ("*" if one.floored else ""),
            _money(half_up(one.interest), currency),
        ]
        for one in pieces
    ]


def _invoice(line: Line, statement: Statement) -> dict[str, Any]:
    owed = _counted(line.owed)
    sums = [(_("Reste dû"), owed.principal), (_("Pénalités"), owed.interest)]
    if owed.interest_paid:
        sums.append((_("dont réglées"), -owed.interest_paid))
    if owed.fee:
        sums.append((_("Indemnité"), owed.fee))
    return {
        "title": _breakable(_("Facture %(number)s") % {"number": line.number}),
        "detail": _("du %(issued)s, échue le %(due)s")
        % {"issued": _day(line.issued), "due": _day(line.due)},
        "total": _("%(total)s TTC") % {"total": _money(line.total, line.currency)},
        "rows": piece_rows(owed.pieces, line.currency),
        "notes": _notes(line, owed, statement),
        "sums": [[label, _money(cents, line.currency)] for label, cents in sums],
    }


def _notes(line: Line, owed: Owed, statement: Statement) -> list[str]:
    notes = []
    if owed.why_none:
        notes.append(words.why_none_words(owed.why_none))
    if line.paid:
        notes.append(_("Réglé : %(cents)s.") % {"cents": _money(line.paid, line.currency)})
    if line.credited:
        notes.append(
            _("Avoirs imputés, retirés dès l’origine : %(cents)s.")
            % {"cents": _money(line.credited, line.currency)}
        )
    if line.due_estimated:
        notes.append(_("L’échéance est estimée : la facture importée n’en portait pas."))
    if line.noticed_on and statement.regime == "consumer":
        notes.append(_("Mise en demeure reçue le %(day)s.") % {"day": _day(line.noticed_on)})
    if line.floored:
        notes.append(_("* Trois fois le taux légal, plancher du taux contractuel."))
    return notes


def _total(statement: Statement, currency: str) -> dict[str, Any]:
    owed = _counted(statement.total(currency))
    count = sum(
        1 for line in statement.lines if line.currency == currency and _counted(line.owed).fee
    )
    rows = [
        (_("Principal restant dû"), owed.principal),
        (_("Pénalités de retard"), owed.interest - owed.interest_paid),
    ]
    if count:
        label = ngettext(
            "Indemnité de recouvrement, %(n)s facture",
            "Indemnité de recouvrement, %(n)s factures",
            count,
        )
        rows.append((label % {"n": count}, owed.fee))
    unapplied = statement.unapplied.get(currency, 0)
    if unapplied:
        rows.append((_("Avoirs et trop-perçus non affectés"), -unapplied))
    return {
        "rows": [[label, _money(cents, currency)] for label, cents in rows],
        "sum": [_("Total"), _money(owed.total - unapplied, currency)],
    }


def _counted(answer: Owed | MissingRate) -> Owed:
    if isinstance(answer, MissingRate):
        raise MissingRateError(answer)
    return answer


def _debtor(customer: Customer) -> list[str]:
    lines = address_lines(customer) or [customer.name]
    return [*lines, f"SIREN {customer.siren}"] if customer.siren else lines


def _day(day: date) -> str:
    return wording.date_words(day, _)


def _money(cents: int | Fraction, currency: str) -> str:
    return wording.money_words(int(cents), currency)


def _breakable(text: str) -> str:
    """A word longer than a line may be broken (zero-width spaces)."""
    return " ".join(
        "\u200b".join(word[n : n + LONGEST_WORD] for n in range(0, len(word), LONGEST_WORD)) or word
        for word in text.split(" ")
    )

"""What the law adds to the invoices of a message, for the words of a template that asks for it.

`{{ penalites }}`, `{{ indemnite }}` and `{{ total_avec_penalites }}`. Where the law allows no
amount (a consumer's indemnity, CPCE L111-8; a regime that is not known, D-26) or its rate is not
known, the value is None: the line that holds it is left out, never written with a hole. For want
of a rate an automatic message waits for a person besides (MISSING_RATE).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning.facts import legal
from relance.dunning.wording import legal_words
from relance.engine.late_fees import MissingRate, Owed, sum_of
from relance.engine.wording import money_words
from relance.ledger.models import Regime

NAMES = ("penalites", "indemnite", "total_avec_penalites")


class Charges:
    """Those of a chunk of messages, counted for all of them together at the first question."""

    def __init__(
        self, organisation: Organisation, customers: Collection[int], invoices: Collection[int]
    ) -> None:
        self.organisation, self.customers, self.invoices = organisation, customers, invoices
        self._found: dict[date, dict[int, legal.Statement]] = {}

    def statement(self, customer: int, on: date) -> legal.Statement:
        """Of all the invoices of the chunk that are this customer's."""
        if on not in self._found:
            self._found[on] = legal.statements(
                self.organisation, self.customers, on=on, invoice_ids=self.invoices
            )
        return self._found[on][customer]

    def of(
        self, customer: int, invoices: Collection[Any], on: date, currency: str
    ) -> tuple[Owed | MissingRate, str]:
        """What these invoices of one currency come to on local date `on`, and the regime."""
        statement = self.statement(customer, on)
        counted: list[Owed] = []
        for line in statement.lines:
            if line.invoice not in invoices or line.currency != currency:
                continue
            if isinstance(line.owed, MissingRate):
                return line.owed, statement.regime
            counted.append(line.owed)
        return sum_of(counted), statement.regime

    def words(
        self, customer: int, invoices: Collection[Any], on: date, currency: str
    ) -> Mapping[str, str | None]:
        """The three values; None where nothing may or can be said."""
        owed, regime = self.of(customer, invoices, on, currency)
        if isinstance(owed, MissingRate) or regime == Regime.UNKNOWN:
            return dict.fromkeys(NAMES)
        interest = owed.interest - owed.interest_paid
        consumer = regime == Regime.CONSUMER
        return {
            "penalites": None if consumer and not interest else money_words(interest, currency),
            "indemnite": None if consumer else money_words(owed.fee, currency),
            "total_avec_penalites": money_words(owed.total, currency),
        }


class Values(dict[str, Any]):
    """The names of a template and their values; those of the law are counted when asked for."""

    def __init__(
        self,
        known: Mapping[str, Any],
        charges: Charges,
        asked: tuple[int, Collection[Any], date, str],
    ) -> None:
        super().__init__(known)
        self.charges, self.asked = charges, asked

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        if key in NAMES:
            return self.charges.words(*self.asked)[key]
        return super().get(key, default)

    @property
    def missing(self) -> MissingRate | None:
        """The rate for want of which nothing is said."""
        owed, _regime = self.charges.of(*self.asked)
        return owed if isinstance(owed, MissingRate) else None

    @property
    def why_left_out(self) -> str:
        """Why some of the three are left out for this customer, as one sentence; else nothing."""
        owed, regime = self.charges.of(*self.asked)
        if isinstance(owed, MissingRate):
            return legal_words.missing_words(owed)
        if regime == Regime.UNKNOWN:
            return legal_words.why_none_words("UNKNOWN_REGIME")
        if regime == Regime.CONSUMER:
            return _(
                "Ce client est un particulier\u00a0: la loi interdit de lui demander une indemnité "
                "(CPCE L111-8). La ligne qui la porte est retirée."
            )
        return ""


def uses(names: Iterable[str]) -> bool:
    """A template with these names asks for an amount of the law."""
    return not set(NAMES).isdisjoint(names)

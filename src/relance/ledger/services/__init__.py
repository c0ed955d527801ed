"""Verbs of the ledger. Keyword-only; one transaction each; every one writes to the history.

`on` is the organisation's local date of the act, `now` the moment (UTC) that the history keeps.
Refusals are `LedgerError`s with a French sentence. `money` keeps `Invoice.balance_cents` and
`Credit.left_cents`, `holds` keeps the copies of disputes, promises and holds.
"""

from relance.ledger.services.errors import (
    CustomerError,
    DisputeError,
    DocumentError,
    HoldError,
    LedgerError,
    MoneyError,
)
from relance.ledger.services.holds import (
    hold,
    open_dispute,
    promise,
    release,
    resolve_dispute,
    switch_plan_for_invoice,
)
from relance.ledger.services.money import (
    add_credit,
    add_invoice,
    apply_credit,
    attach_document,
    record_payment,
)
from relance.ledger.services.notices import record_notice
from relance.ledger.services.people import (
    add_customer,
    attach_contact,
    detach_contact,
    edit_customer,
    exclude,
    include,
    judge_address,
    keep_recipients,
    note_absence,
    refuse_address,
    refuse_phone,
    refuse_place,
    save_contact,
    save_site,
    searchable,
)

__all__ = [
    "CustomerError",
    "DisputeError",
    "DocumentError",
    "HoldError",
    "LedgerError",
    "MoneyError",
    "add_credit",
    "add_customer",
    "add_invoice",
    "apply_credit",
    "attach_contact",
    "attach_document",
    "detach_contact",
    "edit_customer",
    "exclude",
    "hold",
    "include",
    "judge_address",
    "keep_recipients",
    "note_absence",
    "open_dispute",
    "promise",
    "record_notice",
    "record_payment",
    "refuse_address",
    "refuse_phone",
    "refuse_place",
    "release",
    "resolve_dispute",
    "save_contact",
    "save_site",
    "searchable",
    "switch_plan_for_invoice",
]

"""What people do with relances, one module per kind of deed; import the verbs from here.

Each verb takes the local date `on` and the moment `now`; each refusal is a `Refused` whose text
is a French sentence with its reason. Nothing here decides: the engine is asked, then obeyed.
"""

from relance.dunning.services.actions import (
    UNDO_SECONDS,
    change_owners,
    complete_action,
    preview_action,
    send_action,
    skip_action,
    wanted_action,
)
from relance.dunning.services.addresses import readdress
from relance.dunning.services.calls import Agreed, Result, record_result
from relance.dunning.services.common import Refused, case_of
from relance.dunning.services.levels import assign_plan, mark_as_chased, set_level
from relance.dunning.services.writing import free_message, preview_to, write_to

__all__ = [
    "UNDO_SECONDS",
    "Agreed",
    "Refused",
    "Result",
    "assign_plan",
    "case_of",
    "change_owners",
    "complete_action",
    "free_message",
    "mark_as_chased",
    "preview_action",
    "preview_to",
    "readdress",
    "record_result",
    "send_action",
    "set_level",
    "skip_action",
    "wanted_action",
    "write_to",
]

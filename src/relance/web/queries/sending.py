"""May anything leave by itself: asked by several parts of one page, read once."""

from datetime import date

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning.facts import sending
from relance.engine import wording
from relance.engine.model import Reason


def stop(organisation: Organisation, on: date) -> Reason | None:
    """Why nothing leaves by itself on local date `on`; the facts are those of this request."""
    known = organisation.__dict__
    if "_fed_at" not in known:
        asked = organisation.sending_on and organisation.fresh_days is not None
        known["_fed_at"] = sending.fed_at(organisation) if asked else None
    return sending.refusal(organisation, on, known["_fed_at"])


def stop_words(organisation: Organisation, on: date) -> str:
    """The same as a sentence or two; empty when what is automatic leaves."""
    found = stop(organisation, on)
    if found is None:
        return ""
    if found.code == "SENDING_OFF":
        return _(
            "Les envois automatiques sont suspendus. D’ici à leur reprise, rien ne partira tout "
            "seul."
        )
    return wording.sentence(found, _)

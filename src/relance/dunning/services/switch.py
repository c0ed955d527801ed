"""The switch over everything that leaves by itself."""

from datetime import date, datetime

from django.db import transaction

from relance.accounts.models import Organisation, User
from relance.history import services as history
from relance.history.services import Fact


@transaction.atomic
def switch_sending(
    organisation: Organisation, *, sending_on: bool, actor: User, on: date, now: datetime
) -> bool:
    """Suspend or resume automatic sending; True when that changed something.

    Every page then says who suspended it, and when.
    Suspended, nothing new is queued and what waits in the queue is cancelled when its turn
    comes (SENDING_OFF); what people send by hand still leaves.
    """
    changed = Organisation.objects.filter(pk=organisation.pk).exclude(sending_on=sending_on)
    if not changed.update(sending_on=sending_on, switched_by=actor, switched_at=now):
        return False
    organisation.sending_on = sending_on
    organisation.switched_by, organisation.switched_at = actor, now
    data = {"sending_on": [not sending_on, sending_on]}
    history.append(organisation, [Fact("sending_switched", now, on, data=data, actor=actor)])
    return True

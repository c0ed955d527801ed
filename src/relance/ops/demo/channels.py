"""Accounts of the demonstration's company: SMS leave by one that pretends, letters still print.

The post's account is tried and ready, one click from being used: the letters that wait for the
printer are worth seeing first.
"""

from datetime import datetime

from relance.accounts.models import Organisation
from relance.outbox.models import PostalAccount, SmsAccount


def connect(organisation: Organisation, now: datetime) -> None:
    """Both accounts, at providers that send nothing."""
    SmsAccount.objects.create(
        organisation=organisation,
        provider="fake",
        sender="KERDONCUFF",
        active=True,
        checked_at=now,
    )
    PostalAccount.objects.create(
        organisation=organisation, provider="fake", service="normal", checked_at=now
    )

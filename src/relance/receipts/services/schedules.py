"""When a firm's clients are asked without anybody's doing (S0-10, S0-16 to S0-20)."""

from collections.abc import Collection
from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction as database
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.models import Firm, Organisation, User
from relance.bank.services.errors import BankRefused
from relance.history.services import Fact, append
from relance.receipts.models import FileSchedule, FirmSchedule

MOST_REQUESTS = 12


def two_days(days: Collection[int]) -> tuple[int, int | None]:
    """One or two days of the month, in order (S0-17, S0-18); BankRefused for none or three."""
    chosen = sorted(set(days))
    if not chosen:
        raise BankRefused(_("Choisissez un jour du mois, ou deux."), "NO_DAY")
    if len(chosen) > 2:
        raise BankRefused(_("Deux jours par mois au plus\u00a0: ôtez-en un."), "TOO_MANY_DAYS")
    if not all(1 <= day <= 31 for day in chosen):
        raise BankRefused(_("Un jour du mois va de 1 à 31."), "BAD_DAY")
    return chosen[0], chosen[1] if len(chosen) == 2 else None


@database.atomic
def save_firm_schedule(
    *,
    firm: Firm,
    enabled: bool,
    days: Collection[int],
    working_days: bool,
    second_after: int | None,
    actor: User,
    on: date,
    now: datetime,
) -> FirmSchedule:
    """Switch the automatic requests on or off for all the firm's dossiers, and choose their days.

    Off, the days are left as they were (S0-16). Switched on, or given other days, at local date
    `on`, days gone by are not caught up. BankRefused as `two_days`, or for a number of requests
    out of bounds.
    """
    FirmSchedule.objects.get_or_create(firm=firm)
    row = FirmSchedule.objects.select_for_update().get(firm=firm)
    if enabled:
        before = (row.enabled, row.first_day, row.second_day, row.working_days)
        row.first_day, row.second_day = two_days(days)
        if second_after is not None and not 1 <= second_after <= MOST_REQUESTS:
            raise BankRefused(
                _("Entre 1 et %(most)s demandes sans réponse.") % {"most": MOST_REQUESTS}, "BAD_N"
            )
        row.working_days, row.second_after = working_days, second_after
        if before != (True, row.first_day, row.second_day, row.working_days):
            row.enabled_on = on
    row.enabled = enabled
    row.save()
    data = {
        "enabled": enabled,
        "days": [day for day in (row.first_day, row.second_day) if day],
        "working_days": row.working_days,
    }
    for organisation in Organisation.objects.filter(firm=firm):
        day = clock.local_date(organisation, now)
        fact = Fact("receipts_schedule", now, day, data=data, actor=actor)
        append(organisation, [fact])
    return row


@database.atomic
def save_file_schedule(
    *,
    organisation: Organisation,
    mode: str,
    days: Collection[int],
    starting_on: date | None,
    second_contact: str,
    actor: User,
    on: date,
    now: datetime,
) -> FileSchedule:
    """What differs for one dossier: its own days or none, since when, and a second contact.

    BankRefused as `two_days`, or for an address that is none.
    """
    if mode not in FileSchedule.Mode.values:
        raise BankRefused(_("Choisissez l’une des possibilités."), "BAD_MODE")
    address = second_contact.strip()
    if address:
        try:
            validate_email(address)
        except ValidationError:
            raise BankRefused(
                _("«\u00a0%(address)s\u00a0» n’est pas une adresse e-mail.")
                % {"address": address[:80]},
                "BAD_ADDRESS",
            ) from None
    FileSchedule.objects.get_or_create(organisation=organisation)
    row = FileSchedule.objects.select_for_update().get(organisation=organisation)
    before = (row.mode, row.first_day, row.second_day)
    if mode == FileSchedule.Mode.OWN:
        row.first_day, row.second_day = two_days(days)
    if before != (mode, row.first_day, row.second_day):  # days gone by are not caught up
        row.served_on = max(row.served_on or on, on)
    row.mode, row.starting_on, row.second_contact = mode, starting_on, address
    row.save()
    data = {"mode": mode, "days": [day for day in (row.first_day, row.second_day) if day]}
    append(organisation, [Fact("receipts_schedule", now, on, data=data, actor=actor)])
    return row

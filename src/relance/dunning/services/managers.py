"""Who follows a customer (chargé de compte): who may, and giving customers to somebody."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from relance.accounts.models import DunningRole, FirmMembership, Membership, Organisation, User
from relance.dunning.models import Action
from relance.dunning.services.common import Refused
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger.models import Customer

CHUNK = 500


def possible_managers(organisation: Organisation) -> QuerySet[User]:
    """Those who may act in the dossier, by name: its members from account manager on, and its firm.

    An accountant who is also a member has the role of his membership.
    """
    members = Membership.objects.filter(organisation=organisation)
    able = members.filter(dunning_role__gte=DunningRole.ACCOUNT_MANAGER)
    firm = FirmMembership.objects.filter(firm__organisations=organisation).exclude(
        user__in=members.values("user")
    )
    return User.objects.filter(
        Q(pk__in=able.values("user")) | Q(pk__in=firm.values("user")), is_active=True
    ).order_by("full_name", "email")


def still_acting(organisation: Organisation, user: User | None) -> User | None:
    """`user` if he may act in the dossier today; None once he has left it, or lost the right.

    What he scheduled then leaves no more under his name: asked at each chunk of a batch.
    """
    if user is None or not possible_managers(organisation).filter(pk=user.pk).exists():
        return None
    return user


@transaction.atomic
def assign_manager(
    organisation: Organisation,
    *,
    customers: Sequence[int],
    manager: User | None,
    actor: User,
    on: date,
    now: datetime,
) -> int:
    """Give these customers (ids) to `manager`, or to nobody; how many open actions follow him.

    Without a manager the open actions keep their owners. `Refused` when he may not act here.
    """
    if manager and not possible_managers(organisation).filter(pk=manager.pk).exists():
        raise Refused(
            _("%(name)s ne peut pas agir dans ce dossier.") % {"name": manager}, "NOT_ABLE"
        )
    followed = 0
    for start in range(0, len(customers), CHUNK):
        rows = list(
            Customer.objects.select_for_update(of=("self",))
            .filter(organisation=organisation, pk__in=customers[start : start + CHUNK])
            .select_related("manager")
            .order_by("pk")
        )
        changed = [row for row in rows if row.manager_id != (manager.pk if manager else None)]
        Customer.objects.filter(pk__in=[row.pk for row in changed]).update(manager=manager)
        told = str(manager) if manager else None
        history.append(
            organisation,
            [
                Fact(
                    "customer_edited",
                    now,
                    on,
                    row.pk,
                    data={"manager": [str(row.manager) if row.manager else None, told]},
                    actor=actor,
                )
                for row in changed
            ],
        )
        if manager:
            followed += follow_manager(
                organisation, [row.pk for row in changed], manager, actor=actor, on=on, now=now
            )
    return followed


def follow_manager(
    organisation: Organisation,
    customers: Sequence[int],
    manager: User,
    *,
    actor: User,
    on: date,
    now: datetime,
) -> int:
    """The open actions of these customers become the manager's; how many changed hands."""
    actions = list(
        Action.objects.filter(
            organisation=organisation, customer_id__in=customers, status=Action.Status.OPEN
        ).prefetch_related("owners")
    )
    moved = [row for row in actions if {one.pk for one in row.owners.all()} != {manager.pk}]
    owners = Action.owners.through
    owners.objects.filter(action_id__in=[row.pk for row in moved]).delete()
    owners.objects.bulk_create([owners(action_id=row.pk, user_id=manager.pk) for row in moved])
    history.append(
        organisation,
        [
            Fact(
                "owners_changed",
                now,
                on,
                row.customer_id,
                row.reference_id,
                data={
                    "level": row.level,
                    "name": row.level_name,
                    "channel": row.channel,
                    "owners": [str(manager)],
                },
                actor=actor,
            )
            for row in moved
        ],
    )
    return len(moved)

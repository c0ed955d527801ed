"""A firm asks to follow a dossier, its administrator answers, and either side may end it."""

from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts import clock
from relance.accounts.firms import answer_follow, ask_to_follow, let_go, new_dossier
from relance.accounts.models import Firm, FollowRequest, Organisation, User
from relance.accounts.people import LIFE
from relance.history.services import Fact, append
from relance.outbox.models import Notice
from relance.outbox.notices import Sheet, write_down


@transaction.atomic
def open_dossier(
    *, firm: Firm, name: str, siren: str, actor: User | None, now: datetime
) -> Organisation:
    """A new dossier of the firm, which its journal tells; PeopleError as `new_dossier`."""
    made = new_dossier(firm=firm, name=name, siren=siren, actor=actor)
    _tell(made, "dossier_opened", firm, actor, clock.local_date(made, now), now)
    return made


@transaction.atomic
def ask(*, firm: Firm, email: str, actor: User, now: datetime) -> int:
    """Write to the administrator with this address; how many dossiers it is about.

    The number is for the journal and tests: a page does not show it. PeopleError as
    `ask_to_follow`.
    """
    made = ask_to_follow(firm=firm, email=email, actor=actor, now=now)
    for request, user in made:
        on = clock.local_date(request.organisation, now)
        _tell(request.organisation, "firm_asked", firm, actor, on, now)
        _write(request, user, actor, on, now)
    return len(made)


def _write(request: FollowRequest, user: User, actor: User, on: date, now: datetime) -> None:
    organisation = request.organisation
    kind = f"f{request.firm_id}"[:12]  # one a day of each firm: of two that ask, both are read
    Notice.objects.filter(organisation=organisation, user=user, kind=kind, on=on).delete()
    with override(user.language):
        context = {
            "actor": actor,
            "firm": request.firm,
            "organisation": organisation,
            "link": settings.PUBLIC_URL + reverse("people_list", args=[organisation.slug]),
        }
        sheet = Sheet(
            _("%(firm)s demande à suivre %(dossier)s")
            % {"firm": request.firm, "dossier": organisation},
            render_to_string("outbox/follow_mail.txt", context).strip() + "\n",
            render_to_string("outbox/follow_mail.html", context),
        )
    write_down(
        organisation=organisation,
        user=user,
        kind=kind,
        on=on,
        sheet=sheet,
        unsubscribe="",
        useful_until=now + LIFE,
        now=now,
    )


@transaction.atomic
def answer(*, request: FollowRequest, accepted: bool, actor: User, on: date, now: datetime) -> None:
    """Let the firm in, or not, and tell the journal; PeopleError as `answer_follow`."""
    firm = request.firm
    organisation = answer_follow(request=request, accepted=accepted, actor=actor)
    kind = "firm_attached" if accepted else "firm_declined"
    _tell(organisation, kind, firm, actor, on, now)


@transaction.atomic
def part(*, organisation: Organisation, actor: User, on: date, now: datetime) -> Firm:
    """The dossier leaves its firm, which the journal tells; PeopleError as `let_go`."""
    firm = let_go(organisation=organisation, actor=actor)
    _tell(organisation, "firm_detached", firm, actor, on, now)
    return firm


def _tell(
    organisation: Organisation, kind: str, firm: Firm, actor: User | None, on: date, now: datetime
) -> None:
    append(organisation, [Fact(kind, now, on, data={"firm": firm.name}, actor=actor)])

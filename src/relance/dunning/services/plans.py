"""Plans, templates and settings: what is saved, what is refused, and who is looked at again."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts.gather import to_engine
from relance.dunning.models import Action, Assignment, Channel, Entry, Plan, Step, Template
from relance.dunning.services.common import Refused
from relance.dunning.services.switch import switch_sending
from relance.dunning.wording import templating
from relance.engine.plan_rules import PlanFault, validate_plan
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox.models import OwnFile

REFRESH_AT_ONCE = 2_000
"""Customers looked at again when their plan is saved; the next pass sees to the others."""

DECIDING = frozenset({"zone", "tolerance_cents", "by_hand_modes"})
"""Settings that move dates or decide who is chased."""


class PlanRefused(Refused):
    """The plan breaks a rule; `faults` say which, each with its level and field."""

    def __init__(self, faults: Sequence[PlanFault]) -> None:
        super().__init__(_("Ce plan ne peut pas être enregistré."), "PLAN_FAULTS")
        self.faults = faults


class StepValues(NamedTuple):
    """One level as typed; `days` negative before the due date, `template_id` an id or None.

    `to_confirm`: automatic, but each message waits for a person. `functions`: of the contacts
    addressed first, in order. `owner_ids`: users who do it by hand; none: the usual ones.
    `send_without_pdf`: else an automatic message about an invoice without PDF waits (D-15).
    """

    name: str
    anchor: str
    days: int
    channel: str
    automatic: bool
    repeat_every: int | None
    template_id: int | None
    to_confirm: bool = False
    functions: tuple[str, ...] = ()
    owner_ids: tuple[int, ...] = ()
    send_without_pdf: bool = False


def faults_of(plan: Plan, steps: Sequence[StepValues]) -> list[PlanFault]:
    """The rules that this plan would break if it were saved (engine rules, section 2)."""
    return validate_plan(to_engine(plan, rows_of(plan, steps)))


def rows_of(plan: Plan, steps: Sequence[StepValues]) -> list[Step]:
    """The levels as unsaved rows, numbered from 1."""
    rows = []
    for level, values in enumerate(steps, 1):
        fields = values._asdict() | {"functions": list(values.functions)}
        del fields["owner_ids"]
        rows.append(Step(organisation_id=plan.organisation_id, plan=plan, level=level, **fields))
    return rows


@transaction.atomic
def save_plan(
    plan: Plan, *, steps: Sequence[StepValues], actor: User, on: date, now: datetime
) -> Plan:
    """Store a plan, new or changed, with its levels renumbered 1..n.

    Raises PlanRefused with every fault. Its customers are looked at again, at most
    `REFRESH_AT_ONCE` of them now. Being the default plan takes that away from the other.
    """
    faults = faults_of(plan, steps)
    if faults:
        raise PlanRefused(faults)
    if plan.is_default:
        Plan.objects.filter(organisation=plan.organisation, is_default=True).exclude(
            pk=plan.pk
        ).update(is_default=False)
    before = list(plan.steps.values_list("name", "days", "channel")) if plan.pk else []
    plan.save()
    plan.steps.all().delete()
    rows = Step.objects.bulk_create(rows_of(plan, steps))
    through = Step.owners.through
    through.objects.bulk_create(
        through(step_id=row.pk, user_id=user)
        for row, values in zip(rows, steps, strict=True)
        for user in values.owner_ids
    )
    history.append(
        plan.organisation,
        [
            Fact(
                "plan_saved",
                now,
                on,
                data={
                    "plan_id": plan.pk,
                    "plan": plan.name,
                    "before": [list(row) for row in before],
                    "after": [[step.name, step.days, step.channel] for step in steps],
                },
                actor=actor,
            )
        ],
    )
    look_again(plan, on=on, now=now)
    return plan


@transaction.atomic
def pause_plan(plan: Plan, *, paused: bool, actor: User, on: date, now: datetime) -> None:
    """Stop everything of a plan, or take it up again: levels are kept, the to-do follows.

    What waits to leave is stopped by its re-check, with the reason that the plan is paused.
    """
    changed = Plan.objects.filter(pk=plan.pk, paused=not paused).update(paused=paused)
    if not changed:
        return
    plan.paused = paused
    data = {"plan_id": plan.pk, "plan": plan.name, "paused": paused}
    history.append(plan.organisation, [Fact("plan_paused", now, on, data=data, actor=actor)])
    look_again(plan, on=on, now=now)


def look_again(plan: Plan, *, on: date, now: datetime) -> None:
    """Renew outlooks and to-do of the plan's customers, at most `REFRESH_AT_ONCE` of them."""
    followers = Assignment.objects.filter(plan=plan).order_by("customer_id")
    refresh(
        plan.organisation,
        list(followers.values_list("customer_id", flat=True)[:REFRESH_AT_ONCE]),
        on=on,
        now=now,
    )


@transaction.atomic
def delete_plan(plan: Plan, *, actor: User, on: date, now: datetime) -> None:
    """Remove a plan that nobody follows and by which nothing was ever done; Refused otherwise."""
    followers = plan.assignments.count()
    if followers:
        raise Refused(
            _("%(n)d clients suivent ce plan\u00a0: donnez-leur-en un autre d’abord.")
            % {"n": followers},
            "IN_USE",
        )
    if plan.rules.exists():
        raise Refused(
            _("Une règle donne ce plan\u00a0: changez-la d’abord, dans les règles d’affectation."),
            "IN_RULES",
        )
    used = Entry.objects.filter(plan=plan).exists() or Action.objects.filter(plan=plan).exists()
    if used:
        raise Refused(
            _("Ce plan a déjà servi\u00a0: mettez-le en pause, son historique reste lisible."),
            "IN_USE",
        )
    data = {"plan_id": plan.pk, "plan": plan.name}
    organisation = plan.organisation
    plan.delete()
    history.append(organisation, [Fact("plan_deleted", now, on, data=data, actor=actor)])


def family(channel: str) -> str:
    """The method whose words a channel takes: a registered letter is a letter."""
    return Channel.LETTER if channel == Channel.REGISTERED_LETTER else channel


@transaction.atomic
def save_template(
    template: Template,
    *,
    actor: User,
    on: date,
    now: datetime,
    files: Iterable[OwnFile] | None = None,
) -> Template:
    """Store a template; Refused with the first unknown variable and a suggestion.

    `files` go with its messages from now on; None leaves them as they are.

    A template that levels use keeps its method of sending: theirs would not fit any more.
    """
    faults = [
        *templating.faults(template.subject, blocks_allowed=False),
        *templating.faults(template.body),
    ]
    if faults:
        raise Refused(faults[0].message, faults[0].code)
    channels = set(template.steps.values_list("channel", flat=True)) if template.pk else set()
    if any(family(channel) != family(template.channel) for channel in channels):
        raise Refused(
            _("Des niveaux utilisent ce modèle\u00a0: sa méthode d’envoi ne peut plus changer."),
            "CHANNEL_IN_USE",
        )
    template.save()
    if files is not None:
        template.files.set(files)
    data = {"template_id": template.pk, "template": template.name}
    history.append(template.organisation, [Fact("template_saved", now, on, data=data, actor=actor)])
    return template


@transaction.atomic
def delete_template(template: Template, *, actor: User, on: date, now: datetime) -> None:
    """Remove a template that no level uses; Refused with their names otherwise."""
    used = [f"{step} · {step.plan}" for step in template.steps.select_related("plan")]
    if used:
        raise Refused(
            _("Ce modèle sert à\u00a0: %(levels)s. Choisissez-y un autre modèle d’abord.")
            % {"levels": ", ".join(used)},
            "IN_USE",
        )
    data = {"template_id": template.pk, "template": template.name}
    organisation = template.organisation
    template.delete()
    history.append(organisation, [Fact("template_deleted", now, on, data=data, actor=actor)])


@transaction.atomic
def save_settings(
    organisation: Organisation, *, changes: dict[str, object], actor: User, on: date, now: datetime
) -> None:
    """Store what changed of the organisation's settings, and tell the journal old and new.

    `changes`: fields of the organisation and their values; the switch of automatic sending goes
    its own way. What decides about customers makes `REFRESH_AT_ONCE` of them looked at again.
    """
    wanted = dict(changes)
    sending_on = wanted.pop("sending_on", None)
    if sending_on is not None:
        switch_sending(organisation, sending_on=bool(sending_on), actor=actor, on=on, now=now)
    told = {}
    for field, value in wanted.items():
        before = getattr(organisation, field)
        if before != value:
            told[field] = [str(before), str(value)]
            setattr(organisation, field, value)
    if not told:
        return
    organisation.save(update_fields=list(told))
    history.append(organisation, [Fact("settings_saved", now, on, data=told, actor=actor)])
    if DECIDING.intersection(told):
        followers = Assignment.objects.filter(organisation=organisation).order_by("customer_id")
        ids = followers.values_list("customer_id", flat=True)[:REFRESH_AT_ONCE]
        refresh(organisation, list(ids), on=on, now=now)

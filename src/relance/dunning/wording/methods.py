"""One template per level and method of sending (S1-04, D-09): which words go with which."""

from collections import Counter
from collections.abc import Iterable

from relance.accounts.models import Organisation
from relance.dunning.models import Channel, Step, Template
from relance.dunning.wording import messages

METHODS = (Channel.EMAIL, Channel.LETTER, Channel.SMS)
"""What Relances clients may choose for any level (S1-13)."""


def words_for(
    organisation: Organisation, plans: Iterable[int], channel: str
) -> dict[tuple[int, int], messages.Words]:
    """The words of every level of these plans for one method, by (plan, level) (S1-04, D-09).

    The template of the level's own method is the one chosen in the plan. For another method it
    is the template of that method with the same name, else with the name of the level.
    """
    named: dict[str, messages.Words] = {
        template.name: messages.text_of(template)
        for template in Template.objects.filter(organisation=organisation, channel=channel)
    }
    found: dict[tuple[int, int], messages.Words] = {}
    for step in Step.objects.filter(
        organisation=organisation, plan_id__in=set(plans)
    ).select_related("template"):
        key = (step.plan_id, step.level)
        if step.channel == channel and step.template is not None:
            found[key] = messages.text_of(step.template)
            continue
        for name in (step.template.name if step.template else "", step.name):
            if name in named:
                found[key] = named[name]
                break
    return found


def levels_by_name(organisation: Organisation) -> Counter[int]:
    """How many levels take each template by its name, for a method not their own (S1-04, D-09).

    The key is the template; a template that no level takes so counts 0.
    """
    named: dict[str, dict[str, int]] = {}
    for template in Template.objects.filter(organisation=organisation):
        named.setdefault(template.channel, {})[template.name] = template.pk
    found: Counter[int] = Counter()
    for step in Step.objects.filter(organisation=organisation).select_related("template"):
        own = step.template.name if step.template else ""
        for channel in METHODS:
            if channel == step.channel and step.template is not None:
                continue
            mine = named.get(channel, {})
            if own in mine or step.name in mine:
                found[mine[own if own in mine else step.name]] += 1
    return found

"""One template per level and method of sending (S1-04, D-09): which words go with which."""

from collections.abc import Iterable

from relance.accounts.models import Organisation
from relance.dunning import messages
from relance.dunning.models import Step, Template


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

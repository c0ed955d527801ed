"""When a plan is refused (section 2): every fault at once, as data, for the plan editor and for ``relance replay``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from relance.engine.model import AUTOMATIC_CHANNELS, Fact, Plan, Step
from relance.engine.schedule import is_before

MAX_CONTACT_DAYS = 30


class PlanFault(NamedTuple):
    """One thing wrong with a plan. ``level`` and ``field`` say where (None: the plan itself)."""

    code: str
    level: int | None
    field: str
    facts: Mapping[str, Fact]


def _(text: str) -> str:
    """Mark a gettext source string; it is translated when shown."""
    return text


SENTENCES: dict[str, str] = {
    "LEVELS_NOT_IN_ORDER": _("Les niveaux doivent être numérotés de 1 à {count}, sans trou ni doublon."),
    "BEFORE_AFTER_OTHER": _(
        "Le niveau {level} est placé avant l’échéance\u00a0: il doit précéder tous les niveaux qui ne le sont pas."
    ),
    "GOES_BACKWARDS": _(
        "Le niveau {level} ({days}\u00a0j) se déclencherait avant le niveau {other}"
        " ({other_days}\u00a0j), qui compte depuis la même date\u00a0: remettez-les dans l’ordre."
    ),
    "NEGATIVE_DAYS": _("Niveau {level}\u00a0: un nombre de jours négatif n’est possible qu’à partir de l’échéance."),
    "BEFORE_REPEATS": _("Niveau {level}\u00a0: un rappel avant l’échéance ne peut pas se répéter."),
    "GROUPING_IN_CUSTOMER_SCOPE": _(
        "Le regroupement par client n’a de sens que pour un plan par facture\u202f; un plan par client regroupe déjà."
    ),
    "AUTOMATIC_BY_HAND_CHANNEL": _(
        "Niveau {level}\u00a0: seuls l’e-mail, le courrier simple et le SMS peuvent partir automatiquement."
    ),
    "REPEAT_NOT_LAST": _("Niveau {level}\u00a0: seul le dernier niveau peut se répéter."),
    "REPEAT_NOT_POSITIVE": _("Niveau {level}\u00a0: la répétition demande au moins un jour."),
    "PREVIOUS_ON_FIRST": _("Le premier niveau ne peut pas compter depuis le niveau précédent."),
    "PREVIOUS_WITH_AGE": _(
        "Niveau {level}\u00a0: dans une progression par ancienneté, aucun niveau ne peut compter depuis le précédent."
    ),
    "CONTACT_DAYS_OUT_OF_RANGE": _("Le délai minimum de contact va de 0 à {max} jours (ici {days})."),
    "MINIMUM_NEGATIVE": _("Le montant minimum ne peut pas être négatif."),
}


def validate_plan(plan: Plan) -> list[PlanFault]:
    """Every rule of section 2 that the plan breaks; empty when the plan is accepted. Steps in any order."""
    return [*plan_faults(plan), *(fault for step in plan.steps for fault in step_faults(plan, step))]


def fault_sentence(fault: PlanFault, translate: Callable[[str], str] = str) -> str:
    """The fault in plain French (``translate`` may be a gettext function)."""
    return translate(SENTENCES[fault.code]).format(**{"level": fault.level, **fault.facts})


def plan_faults(plan: Plan) -> Iterator[PlanFault]:
    """Faults of the plan as a whole."""
    levels = sorted(step.level for step in plan.steps)
    if levels != list(range(1, len(levels) + 1)):
        yield PlanFault("LEVELS_NOT_IN_ORDER", None, "level", {"count": len(levels)})
    if not 0 <= plan.min_contact_days <= MAX_CONTACT_DAYS:
        facts: Mapping[str, Fact] = {"days": plan.min_contact_days, "max": MAX_CONTACT_DAYS}
        yield PlanFault("CONTACT_DAYS_OUT_OF_RANGE", None, "min_contact_days", facts)
    if plan.minimum < 0:
        yield PlanFault("MINIMUM_NEGATIVE", None, "minimum", {})
    if plan.scope == "customer" and plan.grouping == "customer":
        yield PlanFault("GROUPING_IN_CUSTOMER_SCOPE", None, "grouping", {})


def step_faults(plan: Plan, step: Step) -> Iterator[PlanFault]:
    """Faults of one step, alone or beside the others."""
    level = step.level
    last = max(one.level for one in plan.steps)
    lower = sorted((one for one in plan.steps if one.level < level), key=lambda one: one.level)
    if is_before(step) and any(not is_before(one) for one in lower):
        yield PlanFault("BEFORE_AFTER_OTHER", level, "days", {})
    if step.days < 0 and step.anchor != "due":
        yield PlanFault("NEGATIVE_DAYS", level, "days", {"days": step.days})
    later = next((one for one in lower if one.anchor == step.anchor and one.days > step.days), None)
    if later is not None and step.anchor != "previous":
        facts: Mapping[str, Fact] = {"days": step.days, "other": later.level, "other_days": later.days}
        yield PlanFault("GOES_BACKWARDS", level, "days", facts)
    if step.anchor == "previous" and plan.progression == "age":
        yield PlanFault("PREVIOUS_WITH_AGE", level, "from", {})
    elif step.anchor == "previous" and not lower:
        yield PlanFault("PREVIOUS_ON_FIRST", level, "from", {})
    if step.automatic and step.channel not in AUTOMATIC_CHANNELS:
        yield PlanFault("AUTOMATIC_BY_HAND_CHANNEL", level, "automatic", {"channel": step.channel})
    if step.repeat_every is not None:
        if is_before(step):
            yield PlanFault("BEFORE_REPEATS", level, "repeat_every", {})
        if level != last:
            yield PlanFault("REPEAT_NOT_LAST", level, "repeat_every", {})
        if step.repeat_every < 1:
            yield PlanFault("REPEAT_NOT_POSITIVE", level, "repeat_every", {"days": step.repeat_every})

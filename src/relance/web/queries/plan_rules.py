"""Rules that give plans, in words; and where the plan of one customer comes from."""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.models import Organisation
from relance.dunning.models import Assignment, PlanRule
from relance.dunning.plans import rules
from relance.dunning.plans.rules import Condition
from relance.dunning.services.managers import possible_managers
from relance.ledger.models import Customer, PaymentMode, Regime
from relance.web import french

EXAMPLES = 8
LANGUAGES = {"fr": lazy("français"), "en": lazy("anglais")}


class Row(NamedTuple):
    """One rule of the list: its conditions in words, and what it would do if it were applied."""

    rule: PlanRule
    words: list[str]
    fit: rules.Fit


class Trial(NamedTuple):
    """What a rule being typed would give: to how many, how many would change, who for instance.

    `kept`: those who fit it too, but whose plan a person chose.
    """

    plan: str
    fit: rules.Fit
    examples: list[str]
    kept: int


def rows(organisation: Organisation) -> list[Row]:
    """The rules in order with how many customers each gives its plan to: few queries."""
    known = rules.rules_of(organisation)
    names = people(organisation)
    return [
        Row(rule, in_words(rule.conditions, names), fit)
        for rule, fit in zip(known, rules.fits(organisation, known), strict=True)
    ]


def trial(organisation: Organisation, rule: PlanRule) -> Trial:
    """What `rule`, saved or not, would do at its place among the others."""
    order, place = rules.with_new(rules.rules_of(organisation), rule)
    given = rules.given_by_rule(organisation, order, place)
    names = list(given.values_list("name", flat=True)[:EXAMPLES])
    kept = rules.kept_by_hand(organisation).filter(rules.rule_q(organisation, rule.conditions))
    return Trial(rule.plan.name, rules.fits(organisation, order)[place], names, kept.count())


def people(organisation: Organisation) -> dict[int, str]:
    """Those who may be somebody's account manager, by id; 0 is nobody."""
    return {0: _("aucun"), **{one.pk: str(one) for one in possible_managers(organisation)}}


def in_words(conditions: Sequence[Condition], names: dict[int, str]) -> list[str]:
    """Each condition as a part of a sentence that begins with « Si »; empty: everybody."""
    return [_word(condition, names) for condition in conditions]


def _word(condition: Condition, names: dict[int, str]) -> str:
    value = condition["value"]
    match condition["field"]:
        case "balance":
            least = condition["op"] == "at_least"
            text = _("doit au moins %(sum)s") if least else _("doit moins de %(sum)s")
            return text % {"sum": french.money(int(value))}
        case "contact":
            known = value == "present"
            return _("adresse e-mail connue") if known else _("sans adresse e-mail")
        case "regime":
            return _("régime : %(value)s") % {"value": dict(Regime.choices).get(value, value)}
        case "language":
            return _("langue : %(value)s") % {"value": LANGUAGES.get(value, value)}
        case "manager":
            return _("responsable : %(value)s") % {"value": names.get(int(value), "?")}
        case "mode":
            mode = dict(PaymentMode.choices).get(value, value)
            return _("une facture à régler par : %(value)s") % {"value": mode}
    return str(_LISTS[condition["field"]]) % {"values": _or(value)}


_LISTS = {
    "code": lazy("code client commençant par %(values)s"),
    "name": lazy("nom contenant %(values)s"),
    "postcode": lazy("code postal ou département %(values)s"),
    "city": lazy("ville : %(values)s"),
    "country": lazy("pays : %(values)s"),
}


def _or(values: Sequence[str]) -> str:
    if len(values) < 2:
        return "".join(values)
    return _("%(some)s ou %(last)s") % {"some": ", ".join(values[:-1]), "last": values[-1]}


def origin(customer: Customer) -> str:
    """Who or what gave this customer his plan, as a sentence; empty without a plan (S2-10)."""
    given = Assignment.objects.filter(customer=customer).select_related("rule").first()
    if given is None:
        return ""
    if given.given_by == "rule":
        if given.rule is None:
            return _("Donné par une règle supprimée depuis.")
        said = in_words(given.rule.conditions, people(given.organisation))
        return _("Donné par la règle %(n)d (%(words)s).") % {
            "n": given.rule.position,
            "words": ", ".join(said) or _("tous les clients"),
        }
    if given.given_by == "import":
        return _("Donné à l’import du client.")
    return _("Choisi à la main : les règles ne le changent pas.")

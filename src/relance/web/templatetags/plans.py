"""Where the plan of a customer comes from, for the pages that show a customer."""

from django import template

from relance.ledger.models import Customer
from relance.web.queries import plan_rules

register = template.Library()


@register.simple_tag
def plan_origin(customer: Customer) -> str:
    """`{% plan_origin customer %}`: the rule, the hand or the import that gave him his plan."""
    return plan_rules.origin(customer)

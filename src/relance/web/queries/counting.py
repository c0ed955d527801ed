"""Many counts in one question to the database."""

from typing import Any

from django.db.models import F, Func, IntegerField, QuerySet, Subquery

from relance.accounts.access import Access
from relance.accounts.models import Organisation


def counts(access: Access, **rows: QuerySet[Any]) -> dict[str, int]:
    """How many rows each of these has, by its name; what is sliced counts as far as its slice."""
    if not rows:
        return {}
    columns = {name: _number(one) for name, one in rows.items()}
    one = Organisation.objects.filter(pk=access.organisation.pk).annotate(**columns)
    [found] = one.values_list(*columns)
    return dict(zip(columns, found, strict=True))


def _number(rows: QuerySet[Any]) -> Subquery:
    if rows.query.is_sliced:
        rows = rows.model._default_manager.filter(pk__in=rows.values("pk"))
    number = Func(F("pk"), function="COUNT", output_field=IntegerField())
    return Subquery(rows.order_by().values(number=number), output_field=IntegerField())

"""Messages by state, newest first, paged by key: the same cost on the first and the last page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django import forms
from django.db.models import Count, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from relance.accounts.access import Access
from relance.formats.text import fold
from relance.outbox.models import Message, Status
from relance.web.queries.tracking import RECALLED

PAGE = 50


class Tab(NamedTuple):
    """A place of the page: its name in the address, its label and the states it shows."""

    key: str
    label: Any
    statuses: Sequence[str]


TABS = (
    Tab("incertains", _("Incertains"), [Status.UNCERTAIN]),
    Tab("echecs", _("Échecs"), [Status.FAILED, Status.BOUNCED]),
    Tab(
        "file",
        _("En file"),
        [Status.QUEUED, Status.RETRYING, Status.SENDING, Status.DRAFT, Status.TO_APPROVE],
    ),
    Tab("partis", _("Partis"), [Status.SENT]),
    Tab("annules", _("Annulés"), [Status.CANCELLED, Status.EXPIRED]),
)
COUNTED = [status for tab in TABS if tab.key != "partis" for status in tab.statuses]
ORIGINS = {"": _("Toutes origines"), "auto": _("Automatiques"), "main": _("À la main")}


class Filters(forms.Form):
    """What one may ask of the list; anything else in the address is left aside."""

    etat = forms.CharField(required=False, widget=forms.HiddenInput)
    q = forms.CharField(required=False, max_length=80)
    origine = forms.ChoiceField(label=_("Origine"), choices=list(ORIGINS.items()), required=False)
    du = forms.DateField(
        label=_("Du"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "input input--date"}),
    )
    au = forms.DateField(
        label=_("Au"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "input input--date"}),
    )

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.fields["origine"].widget.attrs["class"] = "select select--auto"


@dataclass(frozen=True)
class Chosen:
    """One page of messages; `older` and `newer` are the keys of its neighbours, if any."""

    form: Filters
    tab: Tab
    counts: dict[str, int]
    rows: Sequence[Message]
    older: int | None
    newer: bool
    filtered: bool


def counts(access: Access) -> dict[str, int]:
    """How many messages each place holds; those that left are not counted, there are too many."""
    rows = (
        access.all(Message)
        .filter(status__in=COUNTED)
        .values_list("status")
        .annotate(n=Count("id"))
        .order_by()
    )
    by_status: dict[str, int] = dict(rows)
    return {tab.key: sum(by_status.get(status, 0) for status in tab.statuses) for tab in TABS}


def read(query: QueryDict, access: Access) -> Chosen:
    """The page that the address asks for; without a place, the first that needs a person."""
    form = Filters(query)
    form.is_valid()
    wanted: dict[str, Any] = form.cleaned_data
    held = counts(access)
    tab = next((tab for tab in TABS if tab.key == wanted.get("etat")), None)
    if tab is None:
        first = ("incertains", "echecs", "file")
        key = next((key for key in first if held[key]), "partis")
        tab = next(tab for tab in TABS if tab.key == key)
    rows = _filtered(access.all(Message).filter(status__in=tab.statuses), wanted)
    before = query.get("avant", "")
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(
        rows.select_related("customer", "made_by")
        .annotate(recalled=RECALLED)
        .order_by("-id")[: PAGE + 1]
    )
    older = found[PAGE - 1].pk if len(found) > PAGE else None
    filtered = any(wanted.get(name) for name in ("q", "origine", "du", "au"))
    return Chosen(form, tab, held, found[:PAGE], older, bool(before), filtered)


def selection(query: QueryDict, access: Access) -> QuerySet[Message]:
    """All the messages of the place and the filters that the address asks for, in no order."""
    form = Filters(query)
    form.is_valid()
    tab = next((tab for tab in TABS if tab.key == form.cleaned_data.get("etat")), None)
    rows = access.all(Message)
    return _filtered(rows.filter(status__in=tab.statuses) if tab else rows, form.cleaned_data)


def _filtered(rows: QuerySet[Message], wanted: dict[str, Any]) -> QuerySet[Message]:
    if wanted.get("origine"):
        rows = rows.filter(automatic=wanted["origine"] == "auto")
    if wanted.get("du"):
        rows = rows.filter(on__gte=wanted["du"])
    if wanted.get("au"):
        rows = rows.filter(on__lte=wanted["au"])
    for word in fold(wanted.get("q") or "").split():
        rows = rows.filter(customer__search__contains=word)
    return rows

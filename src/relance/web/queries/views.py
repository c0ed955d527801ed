"""Filters that a user keeps under a name, and the columns he wants, for each list he uses.

A list asks `tools` for what `components/list_tools.html` shows: the menu of views, the columns with
their boxes, and the address of its workbook. A view is the query string of the list; the list knows
that it shows one when its own filters say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.accounts.models import SavedView

MOST_VIEWS = 30
LONGEST_QUERY = 1000
PASSING = {"page", "avant", "apres", "facture", "client", "cochee", "retour", "parti", "csrf"}
"""What the address holds beside the filters: where one is in the list, not which list."""
FILTERS_TOO = {"relancer": {"client"}}
"""Where such a name is a filter all the same."""
LISTS = {
    "dashboard": "dashboard",
    "clients": "customer_list",
    "actions": "action_list",
    "envois": "outbox_list",
    "relancer": "chase_list",
    "campagnes": "campaign_list",
}
"""Key of each list that has views, and the name of its address."""


def client_columns() -> dict[str, str]:
    """The columns of the list of clients that may be hidden."""
    return {
        "du": _("Dû"),
        "retard": _("En retard"),
        "plan": _("Plan"),
        "charge": _("Chargé de compte"),
        "suite": _("Prochaine action"),
    }


def message_columns() -> dict[str, str]:
    """The columns of the messages that may be hidden."""
    return {"origine": _("Origine"), "niveau": _("Niveau"), "montant": _("Montant")}


def action_columns() -> dict[str, str]:
    """The columns of the actions that may be hidden."""
    return {"niveau": _("À faire"), "statut": _("Statut"), "montant": _("Montant")}


class ViewError(Exception):
    """Said to the user as it stands."""


class Column(NamedTuple):
    """A column with its box."""

    key: str
    label: str
    shown: bool


class View(NamedTuple):
    """A named view in the menu."""

    pk: int
    name: str
    url: str
    current: bool


@dataclass(frozen=True)
class Tools:
    """What the toolbar of one list shows; `show` says of each column whether it stands."""

    page: str
    slug: str
    query: str
    views: list[View]
    columns: list[Column]
    export_url: str
    show: Mapping[str, bool] = field(default_factory=dict)

    @property
    def current(self) -> View | None:
        """The view whose filters these are."""
        return next((view for view in self.views if view.current), None)

    @property
    def chosen(self) -> bool:
        """Whether some column is hidden."""
        return any(not column.shown for column in self.columns)


def tools(
    request: HttpRequest,
    access: Access,
    page: str,
    *,
    columns: Mapping[str, str] | None = None,
    export: str = "",
) -> Tools:
    """The tools of the list `page` (a key of `LISTS`) for this request, in one query.

    `columns`: labels by key, in their order, of those that may be hidden; `export`: the key of its
    workbook in `queries.exports`, or nothing.
    """
    slug = access.organisation.slug
    query = filters_of(request.GET, page)
    base = reverse(LISTS[page], args=[slug])
    stored = list(access.all(SavedView).filter(user=access.user, page=page).order_by("name", "id"))
    named = [view for view in stored if view.name]
    views = [
        View(one.pk, one.name, f"{base}?{one.query}" if one.query else base, one.query == query)
        for one in named
    ]
    present = next((one for one in named if one.query == query), None)
    present = present or next((one for one in stored if not one.name), None)
    kept = set(present.columns) if present and present.columns else set(columns or {})
    shown = {key: key in kept for key in columns or {}}
    return Tools(
        page=page,
        slug=slug,
        query=query,
        views=views,
        columns=[Column(key, str(label), shown[key]) for key, label in (columns or {}).items()],
        export_url=_export_url(slug, export, query),
        show=shown,
    )


def _export_url(slug: str, export: str, query: str) -> str:
    if not export:
        return ""
    address = reverse("export", args=[slug, export])
    return f"{address}?{query}" if query else address


def filters_of(values: QueryDict, page: str = "") -> str:
    """The filters of an address in one spelling: sorted, without what is empty or passing."""
    pairs = [(key, value) for key, values_ in values.lists() for value in values_]
    return _spelled(pairs, page)


def _spelled(pairs: list[tuple[str, str]], page: str) -> str:
    passing = PASSING - FILTERS_TOO.get(page, set())
    kept = [(key, value) for key, value in pairs if value and key not in passing]
    return urlencode(sorted(kept)).replace("%00", "")


def address(access: Access, page: str, query: str = "") -> str:
    """Where the list with these filters stands; a page that is none of the lists is a ViewError."""
    if page not in LISTS:
        raise ViewError(_("Cette liste n’a pas de vues."))
    base = reverse(LISTS[page], args=[access.organisation.slug])
    return f"{base}?{query}" if query else base


def save_view(access: Access, page: str, *, name: str, query: str) -> SavedView:
    """Keep these filters, and the columns now shown, under a name; the same name is replaced."""
    address(access, page)
    name = " ".join(name.split())
    query = _spelled(parse_qsl(query.removeprefix("?")[: 4 * LONGEST_QUERY]), page)
    mine = access.all(SavedView).filter(user=access.user, page=page)
    if not name:
        raise ViewError(_("Donnez un nom à cette vue."))
    if len(name) > 60:
        raise ViewError(_("Ce nom est trop long\u00a0: 60 caractères au plus."))
    if len(query) > LONGEST_QUERY:
        raise ViewError(_("Ces filtres sont trop longs pour être enregistrés."))
    if mine.exclude(name="").exclude(name=name).count() >= MOST_VIEWS:
        raise ViewError(_("Trente vues par liste suffisent\u00a0: supprimez-en une d’abord."))
    present = mine.filter(name="").first()
    view, _created = SavedView.objects.update_or_create(
        organisation=access.organisation,
        user=access.user,
        page=page,
        name=name,
        defaults={"query": query, "columns": present.columns if present else []},
    )
    return view


def rename_view(access: Access, pk: int, name: str) -> SavedView:
    """Another name for one of the user's own views; Http404 when it is not his."""
    view = own_view(access, pk)
    name = " ".join(name.split())
    if not name or len(name) > 60:
        raise ViewError(_("Donnez à cette vue un nom de 60 caractères au plus."))
    others = access.all(SavedView).filter(user=access.user, page=view.page, name=name)
    if others.exclude(pk=pk).exists():
        raise ViewError(_("Une autre vue porte déjà ce nom."))
    view.name = name
    view.save(update_fields=["name"])
    return view


def own_view(access: Access, pk: int) -> SavedView:
    """A named view of this user; Http404 when it is another's."""
    return access.get(SavedView, pk=pk, user=access.user, name__gt="")


def choose_columns(access: Access, page: str, keys: list[str], query: str) -> None:
    """The columns that the user wants from now on; those of the view that he is looking at."""
    address(access, page)
    keys = [key for key in keys[:30] if key.isidentifier() and len(key) <= 30]
    mine = access.all(SavedView).filter(user=access.user, page=page)
    query = _spelled(parse_qsl(query.removeprefix("?")[: 4 * LONGEST_QUERY]), page)
    if mine.filter(query=query).exclude(name="").update(columns=keys):
        return
    SavedView.objects.update_or_create(
        organisation=access.organisation,
        user=access.user,
        page=page,
        name="",
        defaults={"columns": keys},
    )

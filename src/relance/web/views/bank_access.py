"""What every page of Banque has in common: its tabs, what one may do, the way back to the list."""

from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.accounts.models import BankRole, CollectRole
from relance.web.queries import bank

KEPT = {"etat", "du", "au", "compte", "q", "montant", "tri", "page"}
"""What the address of the list keeps when one comes back to it."""


def may_associate(access: Access) -> bool:
    """R2: associate, confirm, waive (D-22)."""
    return access.bank >= BankRole.R2


def may_upload(access: Access) -> bool:
    """Whoever takes part in the collection of documents may bring one."""
    return access.collect >= CollectRole.OWN


def why_not(access: Access) -> str:
    """The reason written beside what a reader cannot do."""
    if may_associate(access):
        return ""
    return _("Votre accès à la banque permet de voir. Il faut le niveau R2 pour associer.")


def surroundings(access: Access, current: str) -> dict[str, Any]:
    """Context that every page of Banque takes: the access, its tabs, what one may do."""
    return {
        "access": access,
        "tabs": tabs(access, current),
        "may_associate": may_associate(access),
        "may_upload": may_upload(access),
        "may_manage": access.bank >= BankRole.R3,
        "why_not": why_not(access),
    }


def tabs(access: Access, current: str) -> list[dict[str, Any]]:
    """The places of Banque; documents only for whoever takes part in their collection."""
    slug = access.organisation.slug
    places: list[tuple[str, str, int | None]] = [("bank_list", _("Opérations"), None)]
    if may_upload(access):
        waiting = bank.documents_to_file(access)
        places.append(("bank_documents", _("Justificatifs reçus"), waiting or None))
    places += [
        ("bank_imports", _("Relevés"), None),
        ("bank_accounts", _("Comptes"), None),
        ("bank_rules", _("Règles"), None),
    ]
    return [
        {
            "url": reverse(name, args=[slug]),
            "label": label,
            "count": count,
            "current": name == current,
        }
        for name, label, count in places
    ]


def back_to(slug: str, given: str, pk: int | None) -> str:
    """The list as it was (its query string, cleaned), with the panel of `pk` open."""
    asked = QueryDict(given.lstrip("?")[:500])
    kept = {key: asked[key] for key in sorted(KEPT & set(asked)) if asked[key]}
    if pk is not None:
        kept["operation"] = str(pk)
    return reverse("bank_list", args=[slug]) + ("?" + urlencode(kept) if kept else "")

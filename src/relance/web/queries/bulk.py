"""What a change to many would do and has done, in words and in pages of fifty."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from relance.accounts.access import Access
from relance.accounts.models import User
from relance.dunning.lots import changes
from relance.dunning.lots.changes import Change, Foreseen
from relance.dunning.models import Batch, BatchLine, Plan
from relance.ledger.models import Customer, Invoice
from relance.web import french

PAGE = 50
SHOWN = 12
"""Names shown before a change is confirmed."""

DEEDS: dict[str, Any] = {
    "plan": lazy("Donner un plan de relance"),
    "manager": lazy("Donner un chargé de compte"),
    "hold": lazy("Mettre en attente"),
    "release": lazy("Lever l’attente"),
    "exclude": lazy("Exclure des relances"),
    "include": lazy("Ne plus exclure"),
    "plan_on": lazy("Activer le plan de relance"),
    "plan_off": lazy("Désactiver le plan de relance"),
    "invoice_hold": lazy("Mettre en attente"),
    "invoice_release": lazy("Lever l’attente"),
}


@dataclass(frozen=True)
class Told:
    """A change foreseen, as sentences; `names` are the first concerned, `more` the others."""

    count: int
    sentence: str
    kept: list[str]
    after: str
    names: list[str]
    more: int


def known_invoices(access: Access, ids: list[int]) -> list[int]:
    """Of these ids, the invoices of the dossier, oldest due first."""
    rows = access.all(Invoice).filter(pk__in=ids)
    return list(rows.order_by("due", "pk").values_list("pk", flat=True))


def told(access: Access, foreseen: Foreseen) -> Told:
    """`142 clients changent de plan, 12 l’ont déjà`, and what follows for the relances."""
    change, count = foreseen.change, len(foreseen.targets)
    of_invoices = change.field in changes.OF_INVOICES
    first = foreseen.targets[:SHOWN]
    if of_invoices:
        names = list(access.all(Invoice).filter(pk__in=first).values_list("number", flat=True))
    else:
        rows = access.all(Customer).filter(pk__in=first).order_by("search", "id")
        names = list(rows.values_list("name", flat=True))
    kept = []
    if already := foreseen.kept["ALREADY"]:
        kept.append(
            ngettext("%(n)s est déjà ainsi.", "%(n)s sont déjà ainsi.", already)
            % {"n": french.number(already)}
        )
    if settled := foreseen.kept["SETTLED"]:
        words = french.counted(settled, _("facture réglée"), _("factures réglées"))
        kept.append(_("%(count)s : rien à changer.") % {"count": words})
    return Told(
        count, _sentence(access, change, count), kept, _after(change), names, count - len(first)
    )


def _sentence(access: Access, change: Change, count: int) -> str:
    noun = (
        french.counted(count, _("facture"), _("factures"))
        if change.field in changes.OF_INVOICES
        else french.counted(count, _("client"), _("clients"))
    )
    return _("%(count)s : %(what)s") % {"count": noun, "what": title_of(access, change)}


def title_of(access: Access, change: Change) -> str:
    """The change itself, in a few words: the title of its batch."""
    value = change.value
    match change.field:
        case "plan" if value is None:
            return _("aucun plan de relance")
        case "plan":
            return _("plan %(name)s") % {"name": access.get(Plan, pk=value).name}
        case "manager" if value is None:
            return _("sans chargé de compte")
        case "manager":
            who = User.objects.filter(pk=value).first()
            return _("chargé de compte %(name)s") % {"name": who or "?"}
        case "hold" | "invoice_hold" if value is None:
            return _("attente levée")
        case "hold" | "invoice_hold":
            day = french.date_text(date.fromisoformat(value))
            return _("en attente jusqu’au %(day)s") % {"day": day}
        case "excluded":
            return _("exclus des relances") if value else _("de nouveau relancés")
        case "plan_on":
            return _("plan de relance activé") if value else _("plan de relance désactivé")
    return change.field


def _after(change: Change) -> str:
    match change.field:
        case "plan" if change.value is None:
            return _("Plus rien ne leur sera envoyé tout seul.")
        case "plan":
            return _(
                "Toutes leurs factures suivront ce plan. "
                "La progression dans un autre plan est gardée, mais ne compte pas."
            )
        case "manager" if change.value is None:
            return _("Leurs actions ouvertes gardent leurs responsables.")
        case "manager":
            return _("Leurs actions ouvertes lui reviennent aussitôt.")
        case "hold" | "invoice_hold" if change.value is not None:
            return _("Rien ne partira d’ici là, jour compris. L’attente finit toute seule.")
        case "excluded" if change.value:
            return _("Rien ne leur sera envoyé, quel que soit leur plan.")
        case "plan_on" if not change.value:
            return _("Ces factures ne seront plus relancées ; les autres du client, oui.")
    return _("Le plan reprend où il en était, dès le prochain départ.")


def undo_title(batch: Batch) -> str:
    """The title of the batch that takes this one back."""
    return _("Défait : %(title)s") % {"title": batch.title}


REASONS: dict[str, Any] = {
    "ALREADY": lazy("Était déjà ainsi."),
    "GONE": lazy("Ce qu’il avait avant n’existe plus : laissé tel quel."),
    "CHANGED_SINCE": lazy("Modifié depuis par quelqu’un : laissé tel quel."),
    "CANCELLED": lazy("Arrêté avant."),
    "NOBODY": lazy("La personne qui modifiait n’a plus de compte."),
    "ERROR": lazy("Une erreur inattendue a arrêté cette ligne."),
}


def detail(access: Access, batch: Batch, *, page: str) -> dict[str, Any]:
    """The page of one change: counts, lines of one page, and whether it can be taken back."""
    lines = access.all(BatchLine).filter(batch=batch).select_related("customer").order_by("id")
    shown = Paginator(lines, PAGE, allow_empty_first_page=True).get_page(page)
    kept = batch.options.get("kept", {})
    running = batch.status in (Batch.Status.RUNNING, Batch.Status.SCHEDULED)
    undoes = batch.options.get("undoes")
    noun = french.counted(batch.done, _("client modifié"), _("clients modifiés"))
    left = (
        french.counted(batch.refused, _("laissé tel quel"), _("laissés tels quels"))
        if batch.refused
        else ""
    )
    return {
        "batch": batch,
        "page": shown,
        "rows": [(line, str(REASONS.get(line.reason, line.reason))) for line in shown],
        "running": running,
        "done": batch.done + batch.refused,
        "text": ", ".join(part for part in (noun, left) if part),
        "already": kept.get("ALREADY", 0),
        "settled": kept.get("SETTLED", 0),
        "undoes": undoes,
        "undone": batch.status == Batch.Status.UNDONE,
        "can_undo": not undoes and batch.status == Batch.Status.DONE and batch.done,
        "of_invoices": batch.options.get("field") in changes.OF_INVOICES,
        "progress_url": reverse("bulk_detail", args=[access.organisation.slug, batch.pk]),
        "home": reverse(
            "dashboard" if batch.options.get("field") in changes.OF_INVOICES else "customer_list",
            args=[access.organisation.slug],
        ),
    }

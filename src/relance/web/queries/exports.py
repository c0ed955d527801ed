"""Every list as a workbook: the rows that its filters leave, in its order, all of them.

`EXPORTS` names the lists. Each answers with columns and an iterator of rows, read piece by piece,
so that a million rows need no more memory than fifty. Money is integer cents, dates are local.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet, Sum
from django.http import Http404, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.dunning.models import Action, Batch, BatchLine, Channel, Plan, ToChase
from relance.formats.workbook import Column, Sheet, Value
from relance.ledger.models import Contact, Customer, Import, ImportLine, Invoice, PaymentMode
from relance.outbox.models import Message, Status
from relance.web.queries import actions, chase_list, customers, invoices, journal, outbox
from relance.web.templatetags.relance import STATUSES

CHUNK = 2_000
Rows = Iterator[Sequence[Value]]


class Table(NamedTuple):
    """A list: the name of its sheet and of its file, its columns, its rows."""

    title: str
    columns: list[Column]
    rows: Rows

    @property
    def sheet(self) -> Sheet:
        return Sheet(self.title, self.columns, self.rows)


def table(access: Access, name: str, query: QueryDict, today: date) -> Table:
    """The list `name` with the filters of the query string; Http404 for a name that is none."""
    build = EXPORTS.get(name)
    if build is None:
        raise Http404
    return build(access, query, today)


def _money(header: str, access: Access) -> Column:
    """Euros where nothing is in another currency; else a number, whose currency is beside it."""
    foreign = access.all(Invoice).exclude(currency="EUR").exists()
    return Column(header, "money", 14, "" if foreign else "EUR")


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def _local(moment: datetime | None) -> datetime | None:
    """The hour of the dossier, as a workbook writes it."""
    return timezone.localtime(moment).replace(tzinfo=None) if moment else None


def _dashboard(access: Access, query: QueryDict, today: date) -> Table:
    filters = invoices.Filters.read(query)
    on = filters.on or today
    columns = [
        Column(_("Client"), width=32),
        Column(_("Code client"), width=14),
        Column(_("N°"), width=18),
        Column(_("Date"), "date", 12),
        Column(_("Échéance"), "date", 12),
        Column(_("Retard (jours)"), "number", 12),
        _money(_("Total"), access),
        _money(_("Reste dû"), access),
        Column(_("Devise"), width=8),
        Column(_("État"), width=18),
        Column(_("Niveau"), "number", 8),
        Column(_("Nom du niveau"), width=22),
        Column(_("Dernière relance"), "date", 14),
        Column(_("Paiement"), width=14),
        Column(_("Chantier"), width=20),
    ]
    found = invoices.selection(access, filters, on=on, today=today)
    return Table(_("Factures"), columns, _invoice_rows(found, on))


def _invoice_rows(found: QuerySet[Any], on: date) -> Rows:
    states = {kind: str(words) for kind, (_icon, words) in STATUSES.items()}
    modes = {value: str(label) for value, label in PaymentMode.choices}
    as_of = [name for name in ("in_dispute", "promised") if name in found.query.annotations]
    rows = found.values_list(
        "due", "balance_cents", "disputed", "promise_until", "hold_until", "plan_on", "left",
        "customer__name", "customer__code", "number", "issued", "total_cents", "currency", "mode",
        "chase__level", "chase__level_name", "chase__last_on", "site__name", *as_of, named=True,
    )  # fmt: skip
    for one in rows.iterator(CHUNK):
        state = invoices.state_of(one, on)
        yield (
            one.customer__name,
            one.customer__code,
            one.number,
            one.issued,
            one.due,
            None if state == "done" else max((on - one.due).days, 0),
            one.total_cents,
            one.left,
            one.currency,
            states[state],
            one.chase__level or None,
            one.chase__level_name,
            one.chase__last_on,
            modes.get(one.mode, one.mode),
            one.site__name,
        )


def _customers(access: Access, query: QueryDict, today: date) -> Table:
    filters = customers.Filters.read(query)
    columns = [
        Column(_("Client"), width=32),
        Column(_("Code client"), width=14),
        Column(_("E-mail"), width=28),
        Column(_("Téléphone"), width=16),
        Column(_("Code postal"), width=12),
        Column(_("Ville"), width=18),
        Column(_("SIREN"), width=14),
        Column(_("Plan"), width=20),
        Column(_("Chargé de compte"), width=20),
        _money(_("Dû"), access),
        _money(_("En retard"), access),
        Column(_("Devise"), width=8),
        Column(_("Prochaine action"), width=30),
    ]
    found = customers.selection(access, filters, today=today).select_related(
        "assignment__plan", "outlook", "manager"
    )
    return Table(_("Clients"), columns, _customer_rows(access, found, today))


def _customer_rows(access: Access, found: QuerySet[Any], today: date) -> Rows:
    late = Sum("balance_cents", filter=Q(due__lt=today))
    for chunk in _chunks(found.iterator(CHUNK)):
        ids = [one.pk for one in chunk]
        owed: dict[int, list[tuple[str, int, int]]] = {}
        sums = access.all(Invoice).filter(customer_id__in=ids, balance_cents__gt=0).order_by()
        for key, code, whole, overdue in sums.values_list("customer_id", "currency").annotate(
            whole=Sum("balance_cents"), late=late
        ):
            owed.setdefault(key, []).append((code, whole, overdue or 0))
        to_do = dict(
            access.all(Action)
            .filter(customer_id__in=ids, status=Action.Status.OPEN)
            .order_by("-due_on")
            .values_list("customer_id", "channel")
        )
        reached = set(
            access.all(Contact)
            .filter(customer_id__in=ids, invalid_since__isnull=True)
            .exclude(email="")
            .values_list("customer_id", flat=True)
        )
        for one in chunk:
            reachable = one.pk in reached or bool(one.email and not one.email_invalid_since)
            words = customers.next_words(one, to_do.get(one.pk), today, reachable=reachable)[0]
            assignment = getattr(one, "assignment", None)
            for code, whole, overdue in sorted(owed.get(one.pk, [("EUR", 0, 0)])):
                yield (
                    one.name,
                    one.code,
                    one.email,
                    one.phone,
                    one.postcode,
                    one.city,
                    one.siren,
                    assignment.plan.name if assignment else None,
                    str(one.manager) if one.manager else None,
                    whole,
                    overdue,
                    code,
                    str(words),
                )


def _actions(access: Access, query: QueryDict, today: date) -> Table:
    columns = [
        Column(_("Depuis"), "date", 12),
        Column(_("Client"), width=32),
        Column(_("Code client"), width=14),
        Column(_("À faire"), width=14),
        Column(_("Niveau"), "number", 8),
        Column(_("Nom du niveau"), width=22),
        Column(_("Responsables"), width=24),
        Column(_("Statut"), width=12),
        Column(_("Faite le"), "date", 12),
        Column(_("Par"), width=20),
        _money(_("Montant"), access),
        Column(_("Devise"), width=8),
        Column(_("Note"), width=40),
    ]
    found = actions.read(query, access, today).rows
    return Table(_("Actions"), columns, _action_rows(found))


def _action_rows(found: QuerySet[Action]) -> Rows:
    for one in found.iterator(CHUNK):
        yield (
            one.due_on,
            one.customer.name if one.customer else "",
            one.customer.code if one.customer else "",
            str(Channel(one.channel).label),
            one.level,
            one.level_name,
            ", ".join(str(person) for person in one.owners.all()),
            str(Action.Status(one.status).label),
            one.closed_on,
            str(one.closed_by) if one.closed_by else None,
            one.amount_cents,
            one.currency,
            one.note,
        )


def _messages(access: Access, query: QueryDict, today: date) -> Table:
    chosen = outbox.selection(query, access)
    return _message_table(access, _("Envois"), chosen.order_by("-id"))


def _letters(access: Access, query: QueryDict, today: date) -> Table:
    letters = [Channel.LETTER, Channel.REGISTERED_LETTER]
    found = access.all(Message).filter(channel__in=letters).order_by("-id")
    return _message_table(access, _("Courriers"), found)


def _message_table(access: Access, title: str, found: QuerySet[Message]) -> Table:
    columns = [
        Column(_("Date"), "date", 12),
        Column(_("Parti le"), "datetime", 16),
        Column(_("Client"), width=32),
        Column(_("Code client"), width=14),
        Column(_("Méthode"), width=12),
        Column(_("Statut"), width=18),
        Column(_("Niveau"), "number", 8),
        Column(_("Nom du niveau"), width=22),
        Column(_("Objet"), width=44),
        Column(_("Destinataires"), width=32),
        Column(_("Automatique"), width=12),
        Column(_("Par"), width=20),
        _money(_("Montant"), access),
        Column(_("Devise"), width=8),
        Column(_("Erreur"), width=30),
    ]
    return Table(title, columns, _message_rows(found))


def _message_rows(found: QuerySet[Message]) -> Rows:
    rows = found.select_related("customer", "made_by").defer("text", "html", "letter")
    for one in rows.iterator(CHUNK):
        yield (
            one.on,
            _local(one.sent_at),
            one.customer.name if one.customer else "",
            one.customer.code if one.customer else "",
            str(Channel(one.channel).label) if one.channel in Channel else one.channel,
            str(Status(one.status).label),
            one.level,
            one.level_name,
            one.subject,
            ", ".join(one.recipients),
            _("oui") if one.automatic else _("non"),
            str(one.made_by) if one.made_by else None,
            one.amount_cents or None,
            one.currency,
            one.error,
        )


def _plans(access: Access, query: QueryDict, today: date) -> Table:
    columns = [
        Column(_("Plan"), width=24),
        Column(_("Niveau"), "number", 8),
        Column(_("Nom du niveau"), width=24),
        Column(_("Compté depuis"), width=22),
        Column(_("Jours"), "number", 8),
        Column(_("Méthode"), width=14),
        Column(_("Automatique"), width=12),
        Column(_("Modèle"), width=24),
        Column(_("Délai minimum (jours)"), "number", 14),
        Column(_("En pause"), width=10),
    ]
    found = access.all(Plan).prefetch_related("steps__template").order_by("name")
    return Table(_("Plans de relance"), columns, _plan_rows(found))


def _plan_rows(found: QuerySet[Plan]) -> Rows:
    for plan in found:
        paused = _("oui") if plan.paused else _("non")
        for step in plan.steps.all():
            yield (
                plan.name,
                step.level,
                step.name,
                str(step.get_anchor_display()),
                step.days,
                str(step.get_channel_display()),
                _("oui") if step.automatic else _("non"),
                step.template.name if step.template else None,
                plan.min_contact_days,
                paused,
            )


def _to_chase(access: Access, query: QueryDict, today: date) -> Table:
    columns = [
        Column(_("Plan"), width=20),
        Column(_("Niveau"), "number", 8),
        Column(_("Client"), width=32),
        Column(_("Code client"), width=14),
        Column(_("N°"), width=18),
        Column(_("Chantier"), width=20),
        Column(_("Échéance"), "date", 12),
        Column(_("Depuis"), "date", 12),
        Column(_("Factures"), "number", 10),
        _money(_("Montant"), access),
        Column(_("Devise"), width=8),
        Column(_("Automatique"), width=12),
    ]
    found = chase_list.selection(access, chase_list.Filters.read(query), today)
    found = found.select_related("customer", "invoice__site", "plan")
    return Table(_("À relancer"), columns, _to_chase_rows(found.order_by("plan", "level", "id")))


def _to_chase_rows(found: QuerySet[ToChase]) -> Rows:
    for one in found.iterator(CHUNK):
        yield (
            one.plan.name,
            one.level,
            one.customer.name if one.customer else "",
            one.customer.code if one.customer else "",
            one.invoice.number,
            one.invoice.site.name if one.invoice.site else None,
            one.invoice.due,
            one.trigger,
            one.invoice_count,
            one.amount_cents,
            one.currency,
            _("oui") if one.automatic else _("non"),
        )


def _campaigns(access: Access, query: QueryDict, today: date) -> Table:
    """All campaigns, or with `campagne` what became of each client of one."""
    if "campagne" in query:
        batch = access.get(Batch, pk=_key(query, "campagne"), kind=Batch.Kind.CAMPAIGN)
        columns = [
            Column(_("Client"), width=32),
            Column(_("Code client"), width=14),
            Column(_("Résultat"), width=14),
            Column(_("Raison"), width=50),
            _money(_("Montant"), access),
            Column(_("Devise"), width=8),
        ]
        lines = access.all(BatchLine).filter(batch=batch).select_related("customer").order_by("id")
        return Table(batch.title or _("Campagne"), columns, _line_rows(lines))
    columns = [
        Column(_("Campagne"), width=36),
        Column(_("Méthode"), width=14),
        Column(_("État"), width=14),
        Column(_("Créée le"), "datetime", 16),
        Column(_("Terminée le"), "datetime", 16),
        Column(_("Par"), width=20),
        Column(_("Clients"), "number", 10),
        Column(_("Faits"), "number", 10),
        Column(_("Refusés"), "number", 10),
    ]
    found = access.all(Batch).filter(kind=Batch.Kind.CAMPAIGN).select_related("made_by")
    return Table(_("Campagnes"), columns, _campaign_rows(found.order_by("-id")))


def _campaign_rows(found: QuerySet[Batch]) -> Rows:
    for one in found.iterator(CHUNK):
        yield (
            one.title,
            str(one.get_channel_display()),
            str(one.get_status_display()),
            _local(one.made_at),
            _local(one.finished_at),
            str(one.made_by) if one.made_by else None,
            one.total,
            one.done,
            one.refused,
        )


def _line_rows(found: QuerySet[BatchLine]) -> Rows:
    for one in found.iterator(CHUNK):
        yield (
            one.customer.name if one.customer else "",
            one.customer.code if one.customer else "",
            str(one.get_status_display()),
            one.detail or one.reason or None,
            one.amount_cents or None,
            one.currency,
        )


def _key(query: QueryDict, name: str) -> int:
    """The number in the address, 0 (which nothing has) when it is none."""
    text = query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 18 else 0


def _history(access: Access, query: QueryDict, today: date) -> Table:
    """The whole timeline of one client, the latest first."""
    customer = access.get(Customer, pk=_key(query, "client"))
    columns = [
        Column(_("Date"), "date", 12),
        Column(_("Quoi"), width=36),
        Column(_("Détail"), width=60),
        _money(_("Montant"), access),
        Column(_("Devise"), width=8),
    ]
    title = _("Historique %(client)s") % {"client": customer.name}
    return Table(title, columns, _history_rows(access, customer))


def _history_rows(access: Access, customer: Customer) -> Rows:
    before: int | None = None
    while True:
        lines, before = journal.of_customer(access, customer.pk, before=before, limit=CHUNK)
        for line in lines:
            currency = line.currency if line.cents is not None else None
            yield line.on, line.title, line.detail, line.cents, currency
        if before is None:
            return


def _refused(access: Access, query: QueryDict, today: date) -> Table:
    """The lines that an import refused or accepted with a remark."""
    imported = access.get(Import, pk=_key(query, "import"))
    columns = [
        Column(_("Ligne"), "number", 8),
        Column(_("Refusée"), width=10),
        Column(_("Raison"), width=80),
    ]
    lines = access.all(ImportLine).filter(imported=imported).order_by("line", "id")
    rows = (
        (number, _("oui") if refused else _("non"), words)
        for number, refused, words in lines.values_list("line", "refused", "message").iterator(
            CHUNK
        )
    )
    return Table(_("Lignes refusées"), columns, rows)


EXPORTS: dict[str, Callable[[Access, QueryDict, date], Table]] = {
    "factures": _dashboard,
    "clients": _customers,
    "actions": _actions,
    "envois": _messages,
    "plans": _plans,
    "relancer": _to_chase,
    "courriers": _letters,
    "campagnes": _campaigns,
    "historique": _history,
    "lignes-refusees": _refused,
}

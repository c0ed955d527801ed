"""The ledger extract: a workbook of a customer's invoices, payments, credits and balance."""

from collections.abc import Iterator
from datetime import date
from typing import BinaryIO

from django.db.models import Sum
from django.utils.translation import gettext as _

from relance.formats.workbook import Column, Sheet, Value, write_workbook
from relance.ledger.models import Credit, Customer, Dispute, Hold, Invoice, Payment

AT_ONCE = 2_000
"""Rows read at a time, and written without keeping them."""


def write(target: BinaryIO, customer: Customer, *, on: date) -> int:
    """Write the workbook as the ledger stands, told for a local date; how many rows."""
    return write_workbook(
        target,
        [
            _summary(customer, on),
            _invoices(customer, on),
            _payments(customer),
            _credits(customer),
            _disputes(customer),
            _promises(customer),
        ],
    )


def _money(header: str) -> Column:
    return Column(header, "money", 14, "")


def _summary(customer: Customer, on: date) -> Sheet:
    """What is owed by currency: invoiced, paid and credited, left, overdue, credits not applied."""
    mine = Invoice.objects.filter(customer=customer)
    free = dict(
        Credit.objects.filter(customer=customer, left_cents__gt=0)
        .values_list("currency")
        .annotate(cents=Sum("left_cents"))
        .order_by()
    )
    late = dict(
        mine.filter(balance_cents__gt=0, due__lt=on)
        .values_list("currency")
        .annotate(cents=Sum("balance_cents"))
        .order_by()
    )
    sums = (
        mine.values_list("currency")
        .annotate(total=Sum("total_cents"), left=Sum("balance_cents"))
        .order_by("currency")
    )
    rows = [
        (
            customer.name,
            customer.code,
            customer.siren,
            on,
            currency,
            total,
            total - left,
            left,
            late.get(currency, 0),
            free.get(currency, 0),
            left - free.get(currency, 0),
        )
        for currency, total, left in sums
    ]
    columns = [
        Column(_("Client"), width=32),
        Column(_("Code client"), width=14),
        Column(_("SIREN"), width=14),
        Column(_("Arrêté au"), "date", 12),
        Column(_("Devise"), width=8),
        _money(_("Facturé")),
        _money(_("Réglé ou imputé")),
        _money(_("Reste dû")),
        _money(_("Dont échu")),
        _money(_("Avoirs non imputés")),
        _money(_("Solde")),
    ]
    return Sheet(_("Synthèse"), columns, rows)


def _invoices(customer: Customer, on: date) -> Sheet:
    columns = [
        Column(_("N°"), width=18),
        Column(_("Date"), "date", 12),
        Column(_("Échéance"), "date", 12),
        Column(_("Retard (jours)"), "number", 12),
        Column(_("Devise"), width=8),
        _money(_("Montant TTC")),
        _money(_("Réglé ou imputé")),
        _money(_("Reste dû")),
        Column(_("État"), width=18),
    ]

    def rows() -> Iterator[tuple[Value, ...]]:
        found = Invoice.objects.filter(customer=customer).order_by("due", "pk")
        for one in found.iterator(AT_ONCE):
            late = max((on - one.due).days, 0) if one.balance_cents > 0 else 0
            yield (
                one.number,
                one.issued,
                one.due,
                late,
                one.currency,
                one.total_cents,
                one.total_cents - one.balance_cents,
                one.balance_cents,
                _state(one, on),
            )

    return Sheet(_("Factures"), columns, rows())


def _state(invoice: Invoice, on: date) -> str:
    if invoice.balance_cents <= 0:
        return _("Réglée")
    if invoice.disputed:
        return _("En litige")
    return _("Échue") if invoice.due < on else _("À échoir")


def _payments(customer: Customer) -> Sheet:
    columns = [
        Column(_("Date"), "date", 12),
        Column(_("Facture"), width=18),
        Column(_("Devise"), width=8),
        _money(_("Montant")),
        Column(_("Nature"), width=18),
        Column(_("Référence"), width=32),
    ]

    def rows() -> Iterator[tuple[Value, ...]]:
        found = Payment.objects.filter(invoice__customer=customer).select_related(
            "invoice", "credit"
        )
        for one in found.order_by("on", "pk").iterator(AT_ONCE):
            kind = _("Avoir imputé") if one.credit else _("Règlement")
            if one.amount_cents < 0:
                kind = _("Annulation")
            told = one.reference or (one.credit.number if one.credit else "")
            yield one.on, one.invoice.number, one.invoice.currency, one.amount_cents, kind, told

    return Sheet(_("Règlements"), columns, rows())


def _credits(customer: Customer) -> Sheet:
    columns = [
        Column(_("N°"), width=18),
        Column(_("Date"), "date", 12),
        Column(_("Devise"), width=8),
        _money(_("Montant")),
        _money(_("Imputé")),
        _money(_("Non imputé")),
    ]

    def rows() -> Iterator[tuple[Value, ...]]:
        found = Credit.objects.filter(customer=customer).order_by("on", "pk")
        for one in found.iterator(AT_ONCE):
            used = one.total_cents - one.left_cents
            yield one.number, one.on, one.currency, one.total_cents, used, one.left_cents

    return Sheet(_("Avoirs"), columns, rows())


def _disputes(customer: Customer) -> Sheet:
    columns = [
        Column(_("Facture"), width=18),
        Column(_("Ouvert le"), "date", 12),
        Column(_("Clos le"), "date", 12),
        Column(_("Motif"), width=28),
    ]

    def rows() -> Iterator[tuple[Value, ...]]:
        found = Dispute.objects.filter(invoice__customer=customer).select_related("invoice")
        for one in found.order_by("opened_on", "pk").iterator(AT_ONCE):
            yield one.invoice.number, one.opened_on, one.resolved_on, one.category

    return Sheet(_("Litiges"), columns, rows())


def _promises(customer: Customer) -> Sheet:
    columns = [
        Column(_("Facture"), width=18),
        Column(_("Promis le"), "date", 12),
        Column(_("Pour le"), "date", 12),
        Column(_("Devise"), width=8),
        _money(_("Montant promis")),
    ]

    def rows() -> Iterator[tuple[Value, ...]]:
        found = Hold.objects.filter(customer=customer, kind=Hold.Kind.PROMISE)
        for one in found.select_related("invoice").order_by("made_on", "pk").iterator(AT_ONCE):
            number = one.invoice.number if one.invoice else ""
            currency = one.invoice.currency if one.invoice else ""
            yield number, one.made_on, one.until, currency, one.amount_cents

    return Sheet(_("Promesses"), columns, rows())

"""Invoices, payments, credits and the documents of invoices. Amounts are integer cents."""

from datetime import date, datetime
from typing import Any

from django.core.files.base import File
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.models import User
from relance.formats.faults import euros
from relance.history.services import Fact, append
from relance.ledger.models import Credit, Customer, Invoice, Payment, Site
from relance.ledger.services.errors import CustomerError, DocumentError, MoneyError

MAX_DOCUMENT_BYTES = 20_000_000


@transaction.atomic
def add_invoice(
    *,
    customer: Customer,
    number: str,
    issued: date,
    due: date,
    total_cents: int,
    on: date,
    now: datetime,
    actor: User | None = None,
    site: Site | None = None,
    **fields: Any,
) -> Invoice:
    """A new open invoice; `fields` are currency, mode, due_estimated, plan_on.

    Raises CustomerError when the number is taken in the organisation or the total is not
    positive (a negative invoice is a credit: `add_credit`).
    """
    number = number.strip()
    if not number:
        raise CustomerError(_("Indiquez le numéro de la facture."), "number")
    if total_cents <= 0:
        raise CustomerError(
            _("Le total d’une facture est positif. Un montant négatif est un avoir."),
            "total_cents",
        )
    organisation = customer.organisation
    if Invoice.objects.filter(organisation=organisation, number=number).exists():
        raise CustomerError(_("La facture %(number)s existe déjà.") % {"number": number}, "number")
    invoice = Invoice.objects.create(
        organisation=organisation,
        customer=customer,
        site=site,
        number=number,
        issued=issued,
        due=due,
        total_cents=total_cents,
        balance_cents=total_cents,
        **fields,
    )
    data = {"number": number, "total_cents": total_cents, "currency": invoice.currency}
    _remember("invoice_added", invoice, on, now, actor, data)
    return invoice


@transaction.atomic
def record_payment(
    *,
    invoice: Invoice,
    amount_cents: int,
    on: date,
    now: datetime,
    actor: User | None = None,
    reference: str = "",
) -> Payment:
    """Money received for an invoice on the local date `on`; negative cancels earlier money.

    More than the balance is accepted and leaves a balance below zero (engine rules, 3.3).
    Updates `invoice` in place. Raises MoneyError: zero, a date in the future, or a
    cancellation of more than was paid.
    """
    today = clock.local_date(invoice.organisation, now)
    if amount_cents == 0:
        raise MoneyError(_("Indiquez un montant différent de zéro."), "amount_cents")
    if on > today:
        raise MoneyError(
            _("La date du règlement est dans le futur. Indiquez le jour où il a été reçu."), "on"
        )
    locked = _lock(invoice)
    paid = locked.total_cents - locked.balance_cents
    if amount_cents < 0 and paid + amount_cents < 0:
        raise MoneyError(
            _("L’annulation dépasse ce qui a été réglé (%(paid)s).") % {"paid": euros(paid)},
            "amount_cents",
        )
    payment = Payment.objects.create(
        organisation=invoice.organisation,
        invoice=locked,
        on=on,
        amount_cents=amount_cents,
        reference=reference[:120],
    )
    balance = _lower(invoice, amount_cents)
    _remember(
        "payment_recorded" if amount_cents > 0 else "payment_cancelled",
        locked,
        today,
        now,
        actor,
        {
            "amount_cents": amount_cents,
            "currency": locked.currency,
            "on": on.isoformat(),
            "reference": payment.reference,
            "balance_cents": balance,
        },
    )
    return payment


@transaction.atomic
def add_credit(
    *,
    customer: Customer,
    number: str,
    total_cents: int,
    on: date,
    now: datetime,
    actor: User | None = None,
    currency: str = "EUR",
) -> Credit:
    """An unapplied credit (avoir, overpayment) of a customer, dated `on` (S3-06).

    A negative total takes unapplied credit back. Raises MoneyError: zero, no number, or a
    number that exists.
    """
    number = number.strip()
    organisation = customer.organisation
    if not number:
        raise MoneyError(_("Indiquez le numéro de l’avoir."), "number")
    if total_cents == 0:
        raise MoneyError(_("Indiquez un montant différent de zéro."), "total_cents")
    if Credit.objects.filter(organisation=organisation, number=number).exists():
        raise MoneyError(_("L’avoir %(number)s existe déjà.") % {"number": number}, "number")
    credit = Credit.objects.create(
        organisation=organisation,
        customer=customer,
        number=number,
        on=on,
        total_cents=total_cents,
        left_cents=total_cents,
        currency=currency,
    )
    fact = Fact(
        "credit_added",
        now,
        clock.local_date(organisation, now),
        customer_id=customer.pk,
        data={
            "number": number,
            "amount_cents": total_cents,
            "currency": currency,
            "on": on.isoformat(),
        },
        actor=actor,
    )
    append(organisation, [fact])
    return credit


@transaction.atomic
def apply_credit(
    *,
    credit: Credit,
    invoice: Invoice,
    amount_cents: int,
    on: date,
    now: datetime,
    actor: User | None = None,
) -> Payment:
    """Pay `amount_cents` (positive) of an invoice with a credit of the same customer.

    Updates both in place. Raises MoneyError: another customer or currency, more than the
    credit has left or the invoice owes, or a date before the credit's own or in the future.
    """
    locked = _lock(invoice)
    source = Credit.objects.select_for_update().get(pk=credit.pk)
    if source.customer_id != locked.customer_id:
        raise MoneyError(_("L’avoir et la facture ne sont pas du même client."), "credit")
    if source.currency != locked.currency:
        raise MoneyError(_("L’avoir et la facture n’ont pas la même devise."), "credit")
    most = max(0, min(source.left_cents, locked.balance_cents))
    if not 0 < amount_cents <= most:
        raise MoneyError(
            _("Le montant à imputer doit être compris entre 0,01 et %(most)s.")
            % {"most": euros(most)}
            if most
            else _(
                "Il ne reste rien à imputer\u00a0: l’avoir est épuisé ou la facture est réglée."
            ),
            "amount_cents",
        )
    today = clock.local_date(invoice.organisation, now)
    if not source.on <= on <= today:
        raise MoneyError(_("La date d’imputation va de celle de l’avoir à aujourd’hui."), "on")
    payment = Payment.objects.create(
        organisation=locked.organisation,
        invoice=locked,
        credit=source,
        on=on,
        amount_cents=amount_cents,
        reference=source.number[:120],
    )
    Credit.objects.filter(pk=source.pk).update(left_cents=F("left_cents") - amount_cents)
    credit.left_cents = source.left_cents - amount_cents
    balance = _lower(invoice, amount_cents)
    _remember(
        "credit_applied",
        locked,
        today,
        now,
        actor,
        {
            "credit": source.number,
            "amount_cents": amount_cents,
            "currency": locked.currency,
            "on": on.isoformat(),
            "balance_cents": balance,
        },
    )
    return payment


@transaction.atomic
def attach_document(
    *, invoice: Invoice, content: "File[Any]", on: date, now: datetime, actor: User | None = None
) -> Invoice:
    """Store the PDF of an invoice, replacing one attached before.

    Raises DocumentError when the file is no PDF or weighs more than `MAX_DOCUMENT_BYTES`.
    """
    if content.size > MAX_DOCUMENT_BYTES:
        raise DocumentError(
            _("Le document pèse plus de %(limit)s Mo.") % {"limit": MAX_DOCUMENT_BYTES // 10**6},
            "document",
        )
    content.seek(0)
    head = content.read(5)
    content.seek(0)
    if head != b"%PDF-":
        raise DocumentError(_("Le document d’une facture est un fichier PDF."), "document")
    locked = _lock(invoice)
    locked.document.save(f"{locked.organisation_id}/{locked.pk}.pdf", content, save=False)
    locked.save(update_fields=["document"])
    invoice.document = locked.document
    data = {"name": str(content.name or "")[:200], "bytes": content.size}
    _remember("document_attached", locked, on, now, actor, data)
    return invoice


def _lock(invoice: Invoice) -> Invoice:
    return Invoice.objects.select_for_update().select_related("organisation").get(pk=invoice.pk)


def _lower(invoice: Invoice, cents: int) -> int:
    """Take `cents` off the stored balance and the given instance; the new balance."""
    Invoice.objects.filter(pk=invoice.pk).update(balance_cents=F("balance_cents") - cents)
    invoice.refresh_from_db(fields=["balance_cents"])
    return invoice.balance_cents


def _remember(
    kind: str,
    invoice: Invoice,
    on: date,
    now: datetime,
    actor: User | None,
    data: dict[str, Any],
) -> None:
    fact = Fact(kind, now, on, invoice.customer_id, invoice.pk, data=data, actor=actor)
    append(invoice.organisation, [fact])

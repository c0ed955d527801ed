"""Customers, their contacts and their sites (chantiers)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.formats.text import fold
from relance.history.services import Fact, append
from relance.ledger.models import Contact, Customer, Site
from relance.ledger.services.errors import CustomerError

EDITABLE = (
    "name",
    "email",
    "phone",
    "address",
    "postcode",
    "city",
    "country",
    "siren",
    "regime",
    "language",
    "judgment_on",
    "to_review",
    "manager",
)


def searchable(name: str, code: str) -> str:
    """Name and code as the search box compares them: no accents, no case, no punctuation."""
    return fold(f"{name} {code}")[:300]


@transaction.atomic
def add_customer(
    *,
    organisation: Organisation,
    code: str,
    name: str,
    on: date,
    now: datetime,
    actor: User | None = None,
    **fields: Any,
) -> Customer:
    """A new customer; `fields` as in `edit_customer`. Raises CustomerError when the code is
    taken or a field is not valid."""
    customer = Customer(
        organisation=organisation,
        code=code.strip(),
        name=name.strip(),
        search=searchable(name, code),
        **fields,
    )
    _validate(customer)
    if Customer.objects.filter(organisation=organisation, code=customer.code).exists():
        raise CustomerError(
            _("Le code client %(code)s existe déjà.") % {"code": customer.code}, "code"
        )
    customer.save()
    _remember("customer_added", customer, on, now, actor, {"code": customer.code})
    return customer


@transaction.atomic
def edit_customer(
    *,
    customer: Customer,
    changes: Mapping[str, Any],
    on: date,
    now: datetime,
    actor: User | None = None,
) -> list[str]:
    """Change fields among `EDITABLE`; the names of those that really changed.

    A new e-mail address is no longer known as invalid. The history keeps old and new values.
    Raises CustomerError with the field when a value is not valid; then nothing changes.
    """
    unknown = set(changes) - set(EDITABLE)
    if unknown:
        raise TypeError(f"not editable: {', '.join(sorted(unknown))}")
    fresh = Customer.objects.select_for_update().get(pk=customer.pk)
    before = {name: getattr(fresh, name) for name in changes}
    for name, value in changes.items():
        setattr(fresh, name, value.strip() if isinstance(value, str) else value)
    changed = [name for name in changes if getattr(fresh, name) != before[name]]
    if not changed:
        return []
    _validate(fresh)
    fresh.search = searchable(fresh.name, fresh.code)
    columns = [*changed, "search"]
    if "email" in changed:
        fresh.email_invalid_since = None
        columns.append("email_invalid_since")
    fresh.save(update_fields=columns)
    for name in columns:
        setattr(customer, name, getattr(fresh, name))
    data = {name: [_plain(before[name]), _plain(getattr(fresh, name))] for name in changed}
    _remember("customer_edited", fresh, on, now, actor, data)
    return changed


def exclude(*, customer: Customer, on: date, now: datetime, actor: User | None = None) -> None:
    """Never chase this customer, until `include`; repeating it changes nothing."""
    _switch(customer, True, "customer_excluded", on, now, actor)


def include(*, customer: Customer, on: date, now: datetime, actor: User | None = None) -> None:
    """Chase this customer again; repeating it changes nothing."""
    _switch(customer, False, "customer_included", on, now, actor)


@transaction.atomic
def save_contact(
    *,
    customer: Customer,
    name: str,
    on: date,
    now: datetime,
    contact: Contact | None = None,
    role: str = "",
    email: str = "",
    phone: str = "",
    is_default: bool = False,
    actor: User | None = None,
) -> Contact:
    """Add a contact, or replace the values of `contact`. Several may be default (S4-28).

    Raises CustomerError with the field when a value is not valid.
    """
    saved = contact or Contact(organisation=customer.organisation, customer=customer)
    if saved.customer_id != customer.pk:
        raise CustomerError(_("Ce contact est celui d’un autre client."))
    values = {
        "name": name.strip(),
        "role": role.strip(),
        "email": email.strip(),
        "phone": phone.strip(),
        "is_default": is_default,
    }
    before = {key: getattr(saved, key) for key in values}
    if contact and before == values:
        return contact
    if saved.email != values["email"]:
        saved.invalid_since = None
    for key, value in values.items():
        setattr(saved, key, value)
    _validate(saved)
    saved.save()
    data = {key: [before[key], value] for key, value in values.items() if before[key] != value}
    kind = "contact_edited" if contact else "contact_added"
    _remember(kind, customer, on, now, actor, {"contact": saved.name, **data})
    return saved


@transaction.atomic
def save_site(
    *,
    customer: Customer,
    name: str,
    on: date,
    now: datetime,
    site: Site | None = None,
    favourites: Sequence[Contact] = (),
    actor: User | None = None,
) -> Site:
    """Add a site, or rename `site`; `favourites` become its default recipients (S4-27, S4-28).

    Raises CustomerError when the name is taken or a favourite is another customer's contact.
    """
    saved = site or Site(organisation=customer.organisation, customer=customer)
    if saved.customer_id != customer.pk or any(c.customer_id != customer.pk for c in favourites):
        raise CustomerError(_("Les destinataires d’un chantier sont des contacts du client."))
    old_name = saved.name
    saved.name = name.strip()
    if customer.sites.filter(name=saved.name).exclude(pk=saved.pk).exists():
        raise CustomerError(_("Le chantier %(name)s existe déjà.") % {"name": saved.name}, "name")
    _validate(saved)
    old = sorted(saved.favourites.values_list("name", flat=True)) if site else []
    saved.save()
    saved.favourites.set(favourites)
    new = sorted(contact.name for contact in favourites)
    if site and old_name == saved.name and old == new:
        return saved
    data = {"site": [old_name, saved.name], "favourites": [old, new]}
    _remember("site_edited" if site else "site_added", customer, on, now, actor, data)
    return saved


@transaction.atomic
def refuse_address(
    *, organisation: Organisation, email: str, customer_id: int, on: date, now: datetime
) -> None:
    """The customer's mail server does not know this address: nothing is sent to it any more.

    A person is asked for another one (S3-14); typing it again, or a new one, clears the mark.
    """
    marked = Customer.objects.filter(
        organisation=organisation, pk=customer_id, email__iexact=email, email_invalid_since=None
    ).update(email_invalid_since=on)
    marked += Contact.objects.filter(
        organisation=organisation, customer_id=customer_id, email__iexact=email, invalid_since=None
    ).update(invalid_since=on)
    if marked:
        fact = Fact("address_refused", now, on, customer_id, data={"email": email})
        append(organisation, [fact])


def _switch(
    customer: Customer, excluded: bool, kind: str, on: date, now: datetime, actor: User | None
) -> None:
    changed = Customer.objects.filter(pk=customer.pk).exclude(excluded=excluded)
    if changed.update(excluded=excluded):
        _remember(kind, customer, on, now, actor, {"excluded": [not excluded, excluded]})
    customer.excluded = excluded


def _validate(row: Customer | Contact | Site) -> None:
    exclude_fields = {"search"} if isinstance(row, Customer) else set()
    try:
        row.clean_fields(exclude=exclude_fields)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise CustomerError(messages[0], field) from error


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _remember(
    kind: str,
    customer: Customer,
    on: date,
    now: datetime,
    actor: User | None,
    data: dict[str, Any],
) -> None:
    append(customer.organisation, [Fact(kind, now, on, customer.pk, data=data, actor=actor)])

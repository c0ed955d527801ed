"""Customers, their contacts and their sites (chantiers)."""

from collections.abc import Iterable, Mapping, Sequence
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
    for mark in outdated_marks(changed):
        setattr(fresh, mark, None)
        columns.append(mark)
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
        saved.invalid_since, saved.invalid_reason = None, ""
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

    A favourite is attached to the site; the contacts already attached stay.
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
    saved.contacts.add(*favourites)
    new = sorted(contact.name for contact in favourites)
    if site and old_name == saved.name and old == new:
        return saved
    data = {"site": [old_name, saved.name], "favourites": [old, new]}
    _remember("site_edited" if site else "site_added", customer, on, now, actor, data)
    return saved


@transaction.atomic
def attach_contact(
    *,
    site: Site,
    contact: Contact,
    favourite: bool,
    on: date,
    now: datetime,
    actor: User | None = None,
) -> None:
    """Attach a contact to a site, as a default recipient ★ or not (S4-27, S4-29).

    Several may be default (S4-28); repeating it changes nothing. Raises CustomerError when the
    contact is another customer's, or without an address is to receive.
    """
    if contact.customer_id != site.customer_id:
        raise CustomerError(_("Les destinataires d’un chantier sont des contacts du client."))
    if favourite and not contact.email:
        raise CustomerError(
            _(
                "%(name)s n’a pas d’adresse e-mail\u00a0: ajoutez-en une pour en faire "
                "un destinataire."
            )
            % {"name": contact.name},
            "contact",
        )
    attached = site.contacts.filter(pk=contact.pk).exists()
    starred = site.favourites.filter(pk=contact.pk).exists()
    if (attached, starred) == (True, favourite):
        return
    before = _favourite_names(site)
    site.contacts.add(contact)
    if favourite:
        site.favourites.add(contact)
    else:
        site.favourites.remove(contact)
    data: dict[str, Any] = {
        "site": site.name,
        "contact": contact.name,
        "attached": [attached, True],
    }
    if starred != favourite:
        data["favourites"] = [before, _favourite_names(site)]
    _remember("site_contact", site.customer, on, now, actor, data)


@transaction.atomic
def detach_contact(
    *, site: Site, contact: Contact, on: date, now: datetime, actor: User | None = None
) -> None:
    """The contact has nothing more to do with this site; he stays a contact of the customer."""
    before = _favourite_names(site)
    known = site.contacts.filter(pk=contact.pk).exists() or contact.name in before
    site.contacts.remove(contact)
    site.favourites.remove(contact)
    if known:
        data = {
            "site": site.name,
            "contact": contact.name,
            "attached": [True, False],
            "favourites": [before, _favourite_names(site)],
        }
        _remember("site_contact", site.customer, on, now, actor, data)


@transaction.atomic
def keep_recipients(
    *,
    site: Site,
    emails: Sequence[str],
    on: date,
    now: datetime,
    actor: User | None = None,
) -> list[Contact]:
    """The addresses just written to become favourites of the site (S4-21), besides those it has.

    An address that no contact of the customer has yet makes a new contact, named by it. Raises
    CustomerError when an address is none; then nothing changes.
    """
    kept = []
    for email in dict.fromkeys(one.strip() for one in emails if one.strip()):
        contact = site.customer.contacts.filter(email__iexact=email).order_by("id").first()
        if contact is None:
            contact = save_contact(
                customer=site.customer, name=email[:120], email=email, on=on, now=now, actor=actor
            )
        attach_contact(site=site, contact=contact, favourite=True, on=on, now=now, actor=actor)
        kept.append(contact)
    return kept


@transaction.atomic
def judge_address(
    *,
    contact: Contact,
    valid: bool,
    reason: str = "",
    on: date,
    now: datetime,
    actor: User | None = None,
) -> None:
    """A person says that an address does not work (with the reason), or works again."""
    if valid == (contact.invalid_since is None):
        return
    contact.invalid_since = None if valid else on
    contact.invalid_reason = "" if valid else reason.strip()[:300]
    contact.save(update_fields=["invalid_since", "invalid_reason"])
    data = {"contact": contact.name, "email": contact.email, "reason": contact.invalid_reason}
    kind = "address_restored" if valid else "address_refused"
    _remember(kind, contact.customer, on, now, actor, data)


def _favourite_names(site: Site) -> list[str]:
    return sorted(site.favourites.values_list("name", flat=True))


@transaction.atomic
def refuse_address(
    *,
    organisation: Organisation,
    email: str,
    customer_id: int,
    on: date,
    now: datetime,
    reason: str = "",
) -> None:
    """The customer's mail server does not know this address: nothing is sent to it any more.

    `reason` is what the server said. A person is asked for another address (S3-14); typing a new
    one, or saying that it works again, clears the mark.
    """
    marked = Customer.objects.filter(
        organisation=organisation, pk=customer_id, email__iexact=email, email_invalid_since=None
    ).update(email_invalid_since=on, email_invalid_reason=reason[:300])
    marked += Contact.objects.filter(
        organisation=organisation, customer_id=customer_id, email__iexact=email, invalid_since=None
    ).update(invalid_since=on, invalid_reason=reason[:300])
    if marked:
        fact = Fact(
            "address_refused", now, on, customer_id, data={"email": email, "reason": reason[:300]}
        )
        append(organisation, [fact])


_PLACE = frozenset({"name", "address", "postcode", "city", "country"})


def outdated_marks(changed: Iterable[str]) -> list[str]:
    """The marks of what did not work that fall when these fields change: there is a new one."""
    names = set(changed)
    marks = ["phone_invalid_since"] if "phone" in names else []
    return marks + (["address_invalid_since"] if names & _PLACE else [])


def refuse_phone(
    *,
    customer: Customer,
    on: date,
    now: datetime,
    reason: str = "",
    actor: User | None = None,
) -> bool:
    """Nobody is reached at this number: no SMS leaves to it until another is typed.

    `reason` is what was said about it; `actor` the one who called. False when it was known.
    """
    return _mark(customer, "phone", on, now, actor, {"phone": customer.phone, "reason": reason})


def refuse_place(
    *,
    customer: Customer,
    on: date,
    now: datetime,
    reason: str = "",
    actor: User | None = None,
) -> bool:
    """Letters do not arrive there ("n'habite pas à l'adresse indiquée"), until it is changed.

    A person is asked how to reach the customer instead. False when it was known.
    """
    address = ", ".join(filter(None, [customer.address, customer.postcode, customer.city]))
    return _mark(customer, "address", on, now, actor, {"address": address, "reason": reason})


@transaction.atomic
def _mark(
    customer: Customer,
    what: str,
    on: date,
    now: datetime,
    actor: User | None,
    data: dict[str, Any],
) -> bool:
    field = f"{what}_invalid_since"
    free = Customer.objects.filter(pk=customer.pk, **{f"{field}__isnull": True})
    if not free.update(**{field: on}):
        return False
    setattr(customer, field, on)
    kind = "phone_refused" if what == "phone" else "place_refused"
    _remember(kind, customer, on, now, actor, data)
    return True


def note_absence(
    *, organisation: Organisation, customer_id: int, email: str, until: date
) -> list[str]:
    """A contact's absence note says that he is away until this day, included; who it is.

    It stops nothing: what is sent to him waits in his mailbox.
    """
    away = Contact.objects.filter(
        organisation=organisation, customer_id=customer_id, email__iexact=email
    )
    away.update(absent_until=until)
    return sorted(away.values_list("name", flat=True))


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

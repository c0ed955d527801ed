"""Customers, contacts and sites out of rows.

A file of customers overwrites what it gives; a file of invoices only fills what is empty, so
that an address corrected here is not undone by next month's export. Empty cells erase nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from relance.accounts.bulk import update_many
from relance.formats.customers import CustomerRow
from relance.formats.rows import NOBODY
from relance.ledger.imports.book import (
    Book,
    Chunk,
    OfCustomer,
    Refusal,
    party_values,
    plain,
)
from relance.ledger.models import Contact, Customer, Invoice, Site
from relance.ledger.services.people import outdated_marks, searchable

_WRITTEN = (
    "name",
    "search",
    "email",
    "email_invalid_since",
    "phone",
    "phone_invalid_since",
    "address",
    "address_invalid_since",
    "postcode",
    "city",
    "country",
    "siren",
    "regime",
)


def write_customers(book: Book, rows: Sequence[CustomerRow], chunk: Chunk) -> None:
    """Create or update one customer per row, and its contacts."""
    ids = book.ensure(rows, chunk)
    fresh = set(book.fresh)
    accepted = [row for row in rows if not isinstance(ids[row.customer_key], Refusal)]
    main = [row for row in accepted if not row.extra]
    changed = _overwrite([row for row in main if row.customer_key not in fresh], ids, chunk)
    with_contact = _contacts(book, accepted, ids, chunk)
    for row in rows:
        known = ids[row.customer_key]
        if isinstance(known, Refusal):
            chunk.refuse(row.line, known)
            continue
        for remark in row.remarks:
            chunk.remark(remark)
        if row.customer_key in fresh and not row.extra:
            chunk.created += 1
        elif row.line in with_contact or (not row.extra and known in changed):
            chunk.updated += 1
        else:
            chunk.unchanged += 1


def fill_customers(
    book: Book, rows: Iterable[OfCustomer], ids: dict[str, int | Refusal], chunk: Chunk
) -> None:
    """Fill the empty fields of known customers from rows of invoices; each customer once."""
    first: list[OfCustomer] = []
    for row in rows:
        known = ids[row.customer_key]
        if row.party == NOBODY or row.customer_key in book.seen or isinstance(known, Refusal):
            continue
        book.seen.add(row.customer_key)
        first.append(row)
    if not first:
        return
    stored = Customer.objects.select_for_update().in_bulk(
        [ids[row.customer_key] for row in first if row.customer_key not in book.fresh]
    )
    written = []
    for row in first:
        customer = stored.get(ids[row.customer_key])
        if customer is None:
            continue
        values = party_values(row.party)
        values = {
            name: value
            for name, value in values.items()
            if name != "country" and getattr(customer, name) in ("", "unknown")
        }
        if _change(customer, values, chunk):
            written.append(customer)
    update_many(Customer, _WRITTEN, written)
    _contacts(book, first, ids, chunk)


def sites_of(
    book: Book, rows: Iterable[Any], ids: dict[str, int | Refusal], chunk: Chunk
) -> dict[tuple[int, str], int]:
    """The site of each row that names one: (customer id, name) to site id; made when new."""
    wanted = set()
    for row in rows:
        known = ids[row.customer_key]
        if row.party.site and not isinstance(known, Refusal):
            wanted.add((known, row.party.site[:120]))
    if not wanted:
        return {}
    found = {
        (site.customer_id, site.name): site.pk
        for site in Site.objects.filter(customer_id__in={customer for customer, _name in wanted})
    }
    new = [
        Site(organisation=book.organisation, customer_id=customer, name=name)
        for customer, name in sorted(wanted - found.keys())
    ]
    for site in Site.objects.bulk_create(new):
        found[site.customer_id, site.name] = site.pk
        chunk.did("site", site.pk)
    return found


def _overwrite(
    rows: Sequence[CustomerRow], ids: dict[str, int | Refusal], chunk: Chunk
) -> set[int]:
    stored = Customer.objects.select_for_update().in_bulk([ids[row.customer_key] for row in rows])
    written = []
    for row in rows:
        customer = stored[ids[row.customer_key]]
        values = party_values(row.party)
        # The reader gives the code as the name when the file has no name.
        if row.customer_name and row.customer_name != row.customer_code:
            values["name"] = row.customer_name
        if _change(customer, values, chunk):
            written.append(customer)
    update_many(Customer, _WRITTEN, written)
    return {customer.pk for customer in written}


def _change(customer: Customer, values: dict[str, Any], chunk: Chunk) -> bool:
    """Set the values that differ on the instance, and remember old and new ones."""
    before = {
        name: plain(getattr(customer, name))
        for name, value in values.items()
        if getattr(customer, name) != value
    }
    if not before:
        return False
    data = {name: [old, plain(values[name])] for name, old in before.items()}
    if "email" in before:
        before["email_invalid_since"] = plain(customer.email_invalid_since)
        customer.email_invalid_since = None
    for mark in outdated_marks(before):
        before[mark] = plain(getattr(customer, mark))
        setattr(customer, mark, None)
    for name, value in values.items():
        setattr(customer, name, value)
    after = {name: plain(getattr(customer, name)) for name in before}
    customer.search = searchable(customer.name, customer.code)
    chunk.did("customer", customer.pk, before, after)
    chunk.fact("customer_edited", customer.pk, None, data)
    return True


def _contacts(
    book: Book, rows: Sequence[OfCustomer], ids: dict[str, int | Refusal], chunk: Chunk
) -> set[int]:
    """Add the people a row names; the lines that really added somebody."""
    wanted: list[tuple[int, int, str, str, str]] = []
    for row in rows:
        known, party = ids[row.customer_key], row.party
        if isinstance(known, Refusal):
            continue
        emails = list(party.emails)
        extra = getattr(row, "extra", False)
        if party.contact or (extra and emails):
            email = emails[0] if emails else ""
            name = party.contact or email
            wanted.append((row.line, known, name[:120], email, party.phone if extra else ""))
        wanted += [(row.line, known, email[:120], email, "") for email in emails[1:]]
    if not wanted:
        return set()
    stored = Contact.objects.filter(customer_id__in={customer for _, customer, *_ in wanted})
    seen = {(c.customer_id, c.name.casefold(), c.email.casefold()) for c in stored}
    new, lines = [], set()
    for line, customer, name, email, phone in wanted:
        key = (customer, name.casefold(), email.casefold())
        if key in seen:
            continue
        seen.add(key)
        lines.add(line)
        new.append(
            Contact(
                organisation=book.organisation,
                customer_id=customer,
                name=name,
                email=email,
                phone=phone,
            )
        )
    for contact in Contact.objects.bulk_create(new):
        chunk.did("contact", contact.pk)
    return lines


def known_invoices(book: Book, numbers: Sequence[str]) -> dict[str, Invoice]:
    """Stored invoices by number, locked for the transaction."""
    rows = Invoice.objects.select_for_update().filter(
        organisation=book.organisation, number__in=numbers
    )
    return {invoice.number: invoice for invoice in rows}

"""Notes in the timeline: written once, never changed, and the colleagues that they name."""

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from relance.accounts.models import DunningRole, Organisation, User
from relance.dunning.models import Mention
from relance.dunning.services.common import Refused
from relance.formats.text import fold
from relance.history import services as history
from relance.history.models import Chain, Event
from relance.history.services import Fact
from relance.ledger.models import Customer, Invoice
from relance.outbox.services import plain

LONGEST = 5_000
"""Characters of a note."""


def members_of(organisation: Organisation) -> list[User]:
    """Those who may read the dossier and so be named: members, and the people of its firm."""
    return list(
        User.objects.filter(
            Q(
                memberships__organisation=organisation,
                memberships__dunning_role__gte=DunningRole.READ,
            )
            | Q(firm_memberships__firm__organisations=organisation),
            is_active=True,
        )
        .distinct()
        .order_by("full_name", "email")
    )


def named_in(text: str, people: Sequence[User]) -> list[User]:
    """The people whom `@Prénom` or `@Prénom Nom` names, whatever the case and the accents.

    A first name that several bear names all of them; a longer name is tried first.
    """
    names: dict[str, list[User]] = {}
    for one in people:
        full = fold(str(one))
        for name in {full, full.split()[0] if full else "", fold(one.email)}:
            if name:
                names.setdefault(name, []).append(one)
    found: dict[int, User] = {}
    for start in (match.end() for match in re.finditer(r"(?<![\w.])@", text)):
        rest = fold(text[start : start + 200])
        for name in sorted(names, key=len, reverse=True):
            if rest.startswith(name) and not rest[len(name) : len(name) + 1].isalnum():
                found |= {one.pk: one for one in names[name]}
                break
    return list(found.values())


@transaction.atomic
def add_note(
    customer: Customer,
    *,
    text: str,
    actor: User,
    on: date,
    now: datetime,
    invoice: Invoice | None = None,
    told: Collection[User] = (),
) -> int:
    """Write a note on a client, or on one of his invoices; its number in the journal.

    Members named by `@Prénom`, and those of `told`, find it in their morning until they have read
    it; naming oneself tells nobody. Refused when it is empty or longer than `LONGEST`.
    """
    words = plain(text).replace("\r\n", "\n").strip()
    if not words:
        raise Refused(_("Écrivez quelque chose."), "EMPTY")
    if len(words) > LONGEST:
        raise Refused(
            _("Une note a au plus %(n)d caractères ; celle-ci en a %(has)d.")
            % {"n": LONGEST, "has": len(words)},
            "TOO_LONG",
        )
    organisation = customer.organisation
    people = members_of(organisation)
    may_read = {one.pk for one in people}
    chosen = [one for one in told if one.pk in may_read]
    named = {one.pk: one for one in [*named_in(words, people), *chosen] if one.pk != actor.pk}
    data = {"text": words, "mentions": [str(one) for one in named.values()]}
    key = invoice.pk if invoice else None
    history.append(organisation, [Fact("note", now, on, customer.pk, key, data=data, actor=actor)])
    seq = Chain.objects.get(organisation=organisation).seq  # locked by the journal until we end
    Mention.objects.bulk_create(
        Mention(
            organisation=organisation,
            user=one,
            customer=customer,
            invoice=invoice,
            event_seq=seq,
            text=words,
            author=str(actor)[:120],
            at=now,
        )
        for one in named.values()
    )
    return seq


@transaction.atomic
def withdraw_note(
    organisation: Organisation, *, seq: int, actor: User, is_admin: bool, on: date, now: datetime
) -> None:
    """Withdraw a note: a new line of the journal says who did; the note itself stays.

    Refused to anybody but its author or an administrator, and the second time.
    """
    Chain.objects.select_for_update().filter(organisation=organisation).first()
    note = Event.objects.filter(organisation=organisation, seq=seq, kind="note").first()
    if note is None:
        raise Refused(_("Cette note n’existe pas."), "NO_NOTE")
    if note.actor_id != actor.pk and not is_admin:
        raise Refused(
            _("Seul %(name)s, ou un administrateur, peut retirer cette note.")
            % {"name": note.actor_name or _("son auteur")},
            "NOT_AUTHOR",
        )
    if seq in withdrawn(organisation, [note.customer_id or 0]):
        raise Refused(_("Cette note est déjà retirée."), "WITHDRAWN")
    fact = Fact(
        "note_withdrawn",
        now,
        on,
        note.customer_id,
        note.invoice_id,
        data={"seq": seq},
        actor=actor,
    )
    history.append(organisation, [fact])
    Mention.objects.filter(organisation=organisation, event_seq=seq, read_at__isnull=True).update(
        read_at=now
    )


def withdrawn(organisation: Organisation, customers: Collection[int]) -> set[int]:
    """The numbers of the notes of these clients that were withdrawn."""
    rows = Event.objects.filter(
        organisation=organisation, customer_id__in=customers, kind="note_withdrawn"
    )
    return {int(data.get("seq", 0)) for data in rows.values_list("data", flat=True)}


def read_mention(mention: Mention, *, now: datetime) -> None:
    """Its reader has seen it; the second time changes nothing."""
    Mention.objects.filter(pk=mention.pk, read_at__isnull=True).update(read_at=now)

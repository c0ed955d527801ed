"""From which address a message leaves, where its replies go, and the mailboxes people connected.

By default everything leaves from the system's address (S2-19) and replies go to the person who
sends (S2-21, S2-23). An organisation may have its own address (S4-05), sent by the system's
server, or a mailbox with a server of its own; a user may connect his own (S2-22).

`mailbox_care` connects, tries and removes them, and lets one rest that does not work.
"""

from collections.abc import Iterable
from email.utils import parseaddr
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from relance.accounts.models import DunningRole, FirmMembership, Membership, Organisation, User
from relance.outbox.models import Mailbox

SYSTEM, ORGANISATION = "system", "organisation"


class UnknownSenderError(Exception):
    """The address chosen is not, or no longer, one of his: nothing may leave from it."""


class Sender(NamedTuple):
    """One choice of the window: `sender` and `reply_to` are what a `Draft` takes.

    `key` is the value of the choice (`system`, `organisation`, `mailbox-12`), `label` what one
    reads; `own` is true for the user's own mailbox. Without `mailbox` the system's server sends.
    """

    key: str
    label: str
    address: str
    sender: str
    reply_to: str
    mailbox: Mailbox | None = None
    own: bool = False

    @property
    def mailbox_id(self) -> int | None:
        """Of `Message.mailbox`; None for the system's server."""
        return self.mailbox.pk if self.mailbox else None


def senders(organisation: Organisation, user: User) -> list[Sender]:
    """From where `user` may send by hand, the default first (S4-06).

    His own mailbox when he connected one (S2-22), else the organisation's sender (S4-05), else
    the system's address (S2-19). Mailboxes that have never worked are not offered.
    """
    found = [_through(organisation, user, mailbox) for mailbox in _usable(organisation, user)]
    if organisation.email_from:
        found.append(_organisation(organisation, user.email))
    found.append(_system(organisation, user.email))
    return sorted(found, key=_rank)


def sender_of(organisation: Organisation, user: User, key: str = "") -> Sender:
    """The choice called `key`, or the default without one; UnknownSenderError when not his."""
    found = senders(organisation, user)
    if not key:
        return found[0]
    for one in found:
        if one.key == key:
            return one
    raise UnknownSenderError(key)


def automatic_sender(organisation: Organisation, chosen: Mailbox | None = None) -> Sender:
    """From where messages leave when nobody sends them: never from a person's own mailbox.

    `chosen` is that of a plan; it counts when it `may_be_automatic`.

    `reply_to` may be empty when the address itself is read; with the system's address it is
    that of `readers_of` (S2-21).
    """
    mailbox = chosen if chosen and may_be_automatic(chosen) else None
    if mailbox is None:
        mailbox = _mailboxes(organisation).filter(owner=None, is_default=True).first()
    if mailbox:
        return _through(organisation, None, mailbox)
    if organisation.email_from:
        return _organisation(organisation, organisation.reply_to)
    return _system(organisation, organisation.reply_to)


def automatic_choices(organisation: Organisation) -> QuerySet[Mailbox]:
    """The mailboxes that `may_be_automatic`, the default one first."""
    return _mailboxes(organisation).filter(owner=None).order_by("-is_default", "address")


def may_be_automatic(mailbox: Mailbox) -> bool:
    """True of a mailbox of the organisation's that has worked and was not removed."""
    return not (mailbox.owner_id or mailbox.retired_at) and mailbox.checked_at is not None


def readers_of(organisation: Organisation, managers: Iterable[int | None]) -> dict[int | None, str]:
    """Who reads the replies to automatic messages, by the customer's manager (S2-21).

    The manager himself, else (also under None) the eldest administrator of the dossier or of
    its firm; "" when there is none.
    """
    admins = Membership.objects.filter(
        organisation=organisation, dunning_role=DunningRole.ADMIN, user__is_active=True
    )
    firm = FirmMembership.objects.filter(firm__organisations=organisation, user__is_active=True)
    first = (
        admins.order_by("pk").values_list("user__email", flat=True).first()
        or firm.order_by("-is_admin", "pk").values_list("user__email", flat=True).first()
        or ""
    )
    known: dict[int, str] = dict(
        User.objects.filter(pk__in={pk for pk in managers if pk}, is_active=True).values_list(
            "pk", "email"
        )
    )
    return {pk: known.get(pk, first) if pk else first for pk in {*managers, None}}


def _mailboxes(organisation: Organisation) -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(
        organisation=organisation, retired_at=None, checked_at__isnull=False
    )


def _usable(organisation: Organisation, user: User) -> list[Mailbox]:
    """His own and the organisation's; nobody sends from the mailbox of another."""
    mine = _mailboxes(organisation).filter(owner=user)
    common = _mailboxes(organisation).filter(owner=None)
    return [*mine.order_by("pk"), *common.order_by("-is_default", "pk")]


def _rank(one: Sender) -> int:
    """Own mailbox, the organisation's default, its address, the system's, other mailboxes."""
    if one.mailbox:
        return 0 if one.own else 1 if one.mailbox.is_default else 4
    return 2 if one.key == ORGANISATION else 3


def system_address() -> str:
    """The installation's own address, without a name (S2-19)."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1]


def mailbox_words(name: str, address: str) -> str:
    """`"Name" <address>` as RFC 5322 writes it; a name can neither end nor escape its quotes."""
    shown = name.replace('"', "").replace("\\", "")
    return f'"{shown}" <{address}>' if shown else address


def _through(organisation: Organisation, user: User | None, mailbox: Mailbox) -> Sender:
    own = mailbox.owner_id is not None
    name = mailbox.name or (str(user) if own and user else organisation.name)
    label = (_("%(address)s (ma boîte)") if own else _("%(address)s (boîte de l’entreprise)")) % {
        "address": mailbox.address
    }
    replies = user.email if user else organisation.reply_to
    return Sender(
        f"mailbox-{mailbox.pk}",
        label,
        mailbox.address,
        mailbox_words(name, mailbox.address),
        "" if own or replies.lower() == mailbox.address.lower() else replies,
        mailbox,
        own,
    )


def _organisation(organisation: Organisation, replies: str) -> Sender:
    address = organisation.email_from
    return Sender(
        ORGANISATION,
        _("%(address)s (adresse de l’entreprise)") % {"address": address},
        address,
        mailbox_words(organisation.name, address),
        "" if replies.lower() == address.lower() else replies,
    )


def _system(organisation: Organisation, replies: str) -> Sender:
    address = system_address()
    return Sender(
        SYSTEM,
        _("%(address)s (adresse de l’installation)") % {"address": address},
        address,
        mailbox_words(organisation.name, address),
        replies,
    )

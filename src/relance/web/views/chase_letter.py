"""The mail window of À relancer: to whom, from where, in which words, and what will leave."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts.access import Access
from relance.dunning.by_hand.gates import Answer, Ask
from relance.dunning.models import Step, ToChase
from relance.dunning.services import Refused, relances
from relance.dunning.services.marking import who_was_first
from relance.dunning.wording import messages, sheet, templating
from relance.dunning.wording.methods import words_for
from relance.ledger.models import Contact, Invoice, Site
from relance.outbox import mailboxes
from relance.outbox.channels.email.mime import attached_name
from relance.outbox.services import Draft
from relance.web import french
from relance.web.queries.chase_list import Now, action_of, asked_now
from relance.web.views.actions import WordsForm, addresses

MOST = 200
"""Encaissements of one sending from this list; Relances clients takes thousands."""
CHANNEL = "email"


class MailForm(WordsForm):
    """From where, the words when there is one message, and a copy for me (S4-06, D-16)."""

    to = None  # type: ignore[assignment]

    def __init__(self, access: Access, *args: Any, single: bool, **kwargs: Any) -> None:
        offered = mailboxes.senders(access.organisation, access.user)
        super().__init__(*args, senders=offered, **kwargs)
        self._keys = {one.key for one in offered}
        self.fields["sender"].required = True
        self.fields["sender"].widget.attrs["class"] = "select"
        if not single:
            del self.fields["subject"], self.fields["body"]

    def clean_sender(self) -> str:
        """Nobody sends from an address that is not, or no longer, his."""
        key = str(self.cleaned_data["sender"])
        if key not in self._keys:
            raise forms.ValidationError(
                _("Cette adresse d’envoi n’existe plus\u00a0: choisissez-en une autre.")
            )
        return key


class Choice(NamedTuple):
    """An address that may receive it."""

    name: str
    email: str
    role: str
    chosen: bool
    starred: bool


@dataclass
class Group:
    """The encaissements of one chantier, or of a client outside any, and who receives them."""

    key: str
    title: str
    site: Site | None
    choices: list[Choice]
    asked: bool
    count: int = 0
    others: str = ""
    keep: bool = False
    error: str = ""
    emails: list[str] = field(default_factory=list)


@dataclass
class Asked:
    """One message asked for: its line, its recipients, and why it would not leave."""

    line: ToChase
    now: Now
    group: str
    to: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def others(self) -> int:
        return self.line.invoice_count - 1


class Sheet(NamedTuple):
    """A message as it lies on the sheet."""

    sender: str
    to: Sequence[str]
    subject: str
    body: str
    attachments: list[str]


@dataclass
class Letter:
    """The whole window; `gone` says what somebody else did meanwhile, or why nothing can be."""

    asks: list[Asked] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    level: str = ""
    level_name: str = ""
    template: str = ""
    form: MailForm | None = None
    sheet: Sheet | None = None
    leaving: int = 0

    @property
    def single(self) -> bool:
        return len(self.asks) == 1

    @property
    def missing(self) -> int:
        """How many chantiers have no favourite recipient (S4-20)."""
        return sum(1 for group in self.groups if group.asked and group.site)

    @property
    def sound(self) -> bool:
        """Every group has an address, and the form its words."""
        return not any(group.error for group in self.groups) and (
            self.form is None or not self.form.is_bound or self.form.is_valid()
        )

    @property
    def sums(self) -> list[tuple[int, str]]:
        """Cents that the messages ask for, by currency."""
        found: dict[str, int] = {}
        for one in self.asks:
            if not one.refusal:
                found[one.line.currency] = found.get(one.line.currency, 0) + one.line.amount_cents
        return [(cents, currency) for currency, cents in found.items()]


def chosen_lines(
    access: Access, ids: Iterable[int], *, today: date, seen: str = ""
) -> tuple[list[Asked], list[str]]:
    """The lines chosen, as the engine sees them now, and why the others are not here any more.

    `seen` is the level that the person saw, `plan-level`. Refused as a whole when they are of
    several levels (S4-18).
    """
    wanted = list(dict.fromkeys(ids))[:MOST]
    lines = {
        line.invoice_id: line
        for line in access.all(ToChase)
        .filter(invoice_id__in=wanted, trigger__lte=today)
        .select_related("customer", "invoice", "invoice__site", "plan")
    }
    fresh = asked_now(access, lines.values(), today)
    asks: list[Asked] = []
    gone: list[str] = []
    for key in wanted:
        line, now = lines.get(key), fresh.get(key)
        if line is None or now is None or now.line.trigger > today or _moved(now, seen):
            gone.append(who_was_first(access.get(Invoice, pk=key)))
            continue
        line.level, line.plan_id = now.line.level, now.line.plan
        line.amount_cents, line.invoice_count = now.line.amount_cents, now.line.invoice_count
        asks.append(Asked(line, now, _group_key(line)))
    levels = {(one.line.plan_id, one.line.level) for one in asks}
    if len(levels) > 1:
        names = _level_names(access, levels)
        return [], [
            _("Un envoi par lot porte sur un seul niveau\u00a0: vous avez coché %(levels)s.")
            % {"levels": names}
        ]
    if not wanted:
        return [], [_("Cochez au moins un encaissement.")]
    return asks, gone


def _moved(now: Now, seen: str) -> bool:
    return bool(seen) and seen != f"{now.line.plan}-{now.line.level}"


def _group_key(line: ToChase) -> str:
    site = line.invoice.site_id
    return f"s{site}" if site else f"c{line.customer_id}"


def _level_names(access: Access, levels: Iterable[tuple[int, int]]) -> str:
    steps = {(one.plan_id, one.level): str(one) for one in access.all(Step)}
    return ", ".join(f"«{french.NBSP}{steps.get(key, '')}{french.NBSP}»" for key in sorted(levels))


def read(
    access: Access,
    ids: Iterable[int],
    *,
    today: date,
    now: datetime,
    data: QueryDict | None = None,
) -> Letter:
    """The window as it opens, or as it was filled in (`data`)."""
    seen = data.get("niveau", "") if data is not None else ""
    letter = Letter()
    letter.asks, letter.gone = chosen_lines(access, ids, today=today, seen=seen)
    if not letter.asks:
        return letter
    first = letter.asks[0].line
    step = Step.objects.select_related("template").get(plan_id=first.plan_id, level=first.level)
    letter.level, letter.level_name = f"{first.plan_id}-{first.level}", str(step)
    letter.template = str(step.template or "")
    letter.groups = _groups(access, letter.asks)
    if data is not None:
        _fill_groups(letter, data)
    emails = {group.key: group.emails for group in letter.groups}
    for one in letter.asks:
        one.to = emails[one.group]
    _prepare(access, letter, data, today=today, now=now)
    return letter


def _groups(access: Access, asks: Sequence[Asked]) -> list[Group]:
    book = messages.open_book(
        access.organisation, [messages.Wanted(action_of(one.now), one.now.case) for one in asks]
    )
    contacts: dict[int, list[Contact]] = {}
    customers = {one.line.customer_id for one in asks}
    valid = access.all(Contact).filter(customer_id__in=customers, invalid_since__isnull=True)
    for contact in valid.exclude(email="").order_by("name"):
        contacts.setdefault(contact.customer_id, []).append(contact)
    groups: dict[str, Group] = {}
    for one in asks:
        line = one.line
        first = book.addressed_first(action_of(one.now))
        usual = messages.recipients(book, line.customer_id, one.now.invoices, first)
        site = line.invoice.site
        stars = {c.email.lower() for c in book.favourites.get(site.pk, [])} if site else set()
        group = groups.get(one.group)
        if group is None:
            title = f"{line.customer.name}, {site.name}" if site else line.customer.name
            choices = _choices(contacts.get(line.customer_id, []), usual, stars)
            asked = not usual or (site is not None and not stars)
            group = groups[one.group] = Group(one.group, title, site, choices, asked)
            group.emails = [choice.email for choice in choices if choice.chosen]
        group.count += 1
    return list(groups.values())


def _choices(
    contacts: Sequence[Contact], usual: Sequence[messages.Recipient], stars: set[str]
) -> list[Choice]:
    chosen = {one.email.lower() for one in usual}
    found = [
        Choice(
            one.name, one.email, one.role, one.email.lower() in chosen, one.email.lower() in stars
        )
        for one in contacts
    ]
    known = {one.email.lower() for one in found}
    found += [
        Choice(one.name, one.email, "", True, False)
        for one in usual
        if one.email.lower() not in known
    ]
    return sorted(found, key=lambda one: (not one.starred, not one.chosen))


def _fill_groups(letter: Letter, data: QueryDict) -> None:
    """What was ticked and typed; a group that was asked for needs an address (S4-20)."""
    for group in letter.groups:
        if not (group.asked or letter.single):
            continue
        ticked = set(data.getlist(f"a-{group.key}"))
        group.choices = [one._replace(chosen=one.email in ticked) for one in group.choices]
        group.others = data.get(f"autres-{group.key}", "")[:1000]
        group.keep = group.site is not None and f"favoris-{group.key}" in data
        group.emails = [one.email for one in group.choices if one.chosen]
        try:
            group.emails += [one for one in addresses(group.others) if one not in group.emails]
        except Refused as no:
            group.error = str(no)
            continue
        if not group.emails:
            group.error = _("Indiquez au moins une adresse.")


def asks_of(letter: Letter) -> list[Ask]:
    """What the verb of relances takes, in the order of the window."""
    return [
        Ask(
            one.line.customer_id,
            one.now.invoices,
            one.line.level,
            (one.line.invoice_id,),
            tuple(one.to),
        )
        for one in letter.asks
    ]


def _prepare(
    access: Access, letter: Letter, data: QueryDict | None, *, today: date, now: datetime
) -> None:
    """Ask what would leave: refusals, warnings and the first message in full."""
    typed = data is not None
    letter.form = (
        MailForm(access, data, single=letter.single)
        if typed
        else MailForm(access, single=letter.single, initial=_initial(access, letter, today))
    )
    words, key = None, ""
    if typed and letter.form.is_valid():
        words, key = typed_words(letter), letter.form.cleaned_data["sender"]
    prepared = relances.prepare(
        access.organisation,
        asks_of(letter),
        relances.Sending(
            channel=CHANNEL, actor=access.user, on=today, now=now, words=words, sender_key=key
        ),
    )
    shown: Draft | None = None
    for one, (answer, draft) in zip(letter.asks, prepared, strict=True):
        if draft is None:
            one.refusal = relances.sentence(answer.refusals[0]) if answer.refusals else ""
            continue
        letter.leaving += 1
        one.to = list(draft.recipients)
        shown = shown or draft
    nobody = any(group.asked and not group.emails for group in letter.groups)
    if letter.single and not nobody:
        letter.refusals = [one.refusal for one in letter.asks if one.refusal]
    letter.warnings = _warnings([answer for answer, _draft in prepared], letter)
    letter.sheet = _sheet(access, shown) if shown else None


def typed_words(letter: Letter) -> messages.Words | None:
    """The words of the window when it writes one message; None: the template of each level."""
    if not letter.single or letter.form is None:
        return None
    return messages.Words(letter.form.cleaned_data["subject"], letter.form.cleaned_data["body"])


def _warnings(answers: Sequence[Answer], letter: Letter) -> list[str]:
    """What a person should know and may overrule; for several, how many are concerned."""
    told = [relances.sentence(reason) for answer in answers for reason in answer.warnings]
    if letter.single or len(told) <= 1:
        return told
    recent = sum(1 for a in answers if any(r.code == "RECENT_CONTACT" for r in a.warnings))
    if not recent:
        return []
    return [
        _("%(clients)s de moins que le délai minimum\u00a0: vous pouvez passer outre.")
        % {"clients": french.counted(recent, _("contact récent"), _("contacts récents"))}
    ]


def _initial(access: Access, letter: Letter, today: date) -> Mapping[str, Any]:
    """The template of the level, its names filled in, the table of invoices left as a block."""
    found: dict[str, Any] = {"copy": access.user.receives_copy}
    if not letter.single:
        return found
    [one] = letter.asks
    key = (one.line.plan_id, one.line.level)
    words = words_for(access.organisation, [key[0]], CHANNEL).get(key)
    if words is None:
        return found
    step = Step.objects.get(plan_id=key[0], level=key[1])
    wanted = messages.Wanted(action_of(one.now)._replace(name=step.name), one.now.case)
    book = messages.open_book(access.organisation, [wanted])
    names = {choice.email: choice.name for choice in letter.groups[0].choices if choice.chosen}
    to = [messages.Recipient(names.get(email, email), email) for email in one.to]
    with override(one.line.customer.language):
        known = messages.values(book, wanted, to, today, str(access.user))
    filled = templating.render(words.subject, words.body, known._replace(blocks={}))
    return found | {"subject": filled.subject, "body": filled.text.strip()}


def _sheet(access: Access, draft: Draft) -> Sheet:
    ids = [line.invoice_id for line in draft.lines]
    documents = (
        access.all(Invoice)
        .filter(pk__in=ids)
        .exclude(document="")
        .order_by("due", "number")
        .values_list("number", "document")
    )
    return Sheet(
        draft.sender.replace('"', ""),
        draft.recipients,
        draft.subject,
        sheet.fragment(draft.html),
        [attached_name(number, path) for number, path in documents],
    )

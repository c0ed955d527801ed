"""What happened at Ateliers Kerdoncuff, day by day: bills, payments, quarrels, promises. Pure.

The same dates, sizes and seed give the same world; nothing here reads a clock or a database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from relance.engine.calendar import is_working_day, next_working_day, previous_working_day
from relance.ops.demo import words
from relance.ops.demo.clients import Client, Open
from relance.ops.demo.neighbours import NEIGHBOURS
from relance.ops.demo.regulars import REGULARS
from relance.ops.demo.stories import SCRIPTED

ZONE = "metropole"
QUIET_DAYS = 45
"""The past of a customer with a story of its own is settled so many days before today."""
RECENT_DAYS = 100
"""Before, bills were made on Fridays and payments came on Mondays and Thursdays."""
PACE = 0.92
"""All rates at once: about 600 bills in two years."""
MONDAY, THURSDAY, FRIDAY = 0, 3, 4
LATENESS = {"good": (-4, 2), "usual": (-1, 11), "late": (6, 27), "very_late": (18, 58)}
"""Calendar days from the due date to the payment, at least and at most."""


class Frame(NamedTuple):
    """The dates that the world hangs on.

    `first`: its first day; `departure`: when the next automatic messages leave; `runs`: the three
    last days on which messages left, the latest first.
    """

    first: date
    today: date
    departure: date
    runs: tuple[date, date, date]

    @property
    def recently(self) -> date:
        """Until this day weeks are regular, so that two years are told in less time."""
        return self.today - timedelta(days=RECENT_DAYS)

    def day(self, anchor: str, days: int) -> date:
        """`days` calendar days after one of the named dates."""
        start = {
            "today": self.today,
            "departure": self.departure,
            "run1": self.runs[0],
            "run2": self.runs[1],
            "run3": self.runs[2],
        }[anchor]
        return start + timedelta(days=days)


def frame(today: date, *, departed: bool, months: int) -> Frame:
    """The dates for a world seen on `today`; `departed`: today's messages have left already."""
    before = today if departed else today - timedelta(days=1)
    run1 = before if is_working_day(ZONE, before) else previous_working_day(ZONE, before)
    run2 = previous_working_day(ZONE, run1 - timedelta(days=1))
    run3 = previous_working_day(ZONE, run2 - timedelta(days=1))
    departure = next_working_day(ZONE, today + timedelta(days=1) if departed else today)
    first = today - timedelta(days=months * 365 // 12)
    return Frame(first, today, departure, (run1, run2, run3))


@dataclass(frozen=True)
class Bill:
    """An invoice: `cents` with VAT; `seed` chooses the words of its lines."""

    client: int
    issued: date
    due: date
    cents: int
    mode: str
    site: str = ""
    number: str = ""
    seed: int = 0
    recent: bool = False


@dataclass(frozen=True)
class Deed:
    """Something that happened on a day; `morning`: before the day's run.

    `kind`: bill, payment, credit, applied, dispute, settled, promise, hold, judgment, exclude.
    `bill` is its place in `World.bills`; -1 when it is about the customer.
    """

    on: date
    morning: bool
    kind: str
    client: int
    bill: int = -1
    cents: int = 0
    until: date | None = None
    text: str = ""


@dataclass(frozen=True)
class World:
    frame: Frame
    clients: Sequence[Client]
    bills: Sequence[Bill]
    deeds: Sequence[Deed]


class _Story(NamedTuple):
    """A bill and what followed; the deeds get the place of the bill when all are numbered."""

    bill: Bill
    after: list[Deed]


def imagine(of: Frame, *, customers: int) -> World:
    """The world of the first `customers` clients; deeds in order of day, mornings first."""
    clients = (*SCRIPTED, *REGULARS, *NEIGHBOURS)[:customers]
    stories: list[_Story] = []
    others: list[Deed] = []
    for place, client in enumerate(clients):
        dice = Random(f"kerdoncuff {client.name}")  # noqa: S311 - a story, not a secret
        stories += _past(of, place, client, dice)
        stories += [_open(of, place, client, one) for one in client.opened]
        others += _states(of, place, client)
    stories = [story for story in stories if _known_on(story.bill) <= of.today]
    stories.sort(key=lambda story: (story.bill.issued, story.bill.client, story.bill.due))
    bills, deeds = [], others
    for place, story in enumerate(_numbered(stories)):
        bills.append(story.bill)
        deeds.append(Deed(_known_on(story.bill), True, "bill", story.bill.client, place))
        deeds += [replace(deed, bill=place) for deed in story.after if deed.on <= of.today]
    order = {"bill": 0, "credit": 1, "exclude": 0}
    deeds.sort(key=lambda deed: (deed.on, not deed.morning, order.get(deed.kind, 2), deed.bill))
    return World(of, clients, bills, deeds)


def _known_on(bill: Bill) -> date:
    """When it entered the ledger: the day it was made, or the Monday after for older ones."""
    wait = 0 if bill.recent else (MONDAY - bill.issued.weekday()) % 7
    return bill.issued + timedelta(days=wait)


def _numbered(stories: Sequence[_Story]) -> Iterator[_Story]:
    """F-2026-0001 and so on, from a number of its own in the first year."""
    count: dict[int, int] = {}
    for place, (bill, after) in enumerate(stories):
        count[bill.issued.year] = count.get(bill.issued.year, 0) + 1
        number = f"F-{bill.issued.year}-{count[bill.issued.year]:04d}"
        yield _Story(replace(bill, number=number, seed=place * 7 + bill.client), after)


def _past(of: Frame, place: int, client: Client, dice: Random) -> Iterator[_Story]:
    """What a regular customer bought; one with open invoices of its own is settled before."""
    if client.new:
        return
    last = of.today - timedelta(days=QUIET_DAYS) if client.opened else of.today
    gap = 365 / client.rate / PACE
    day = of.first + timedelta(days=int(dice.uniform(0, gap)))
    while day <= last:
        recent = day > of.recently
        issued = day if recent else day + timedelta(days=FRIDAY - day.weekday())
        if issued.weekday() > FRIDAY:
            issued -= timedelta(days=2)
        low, high = client.euros
        cents = dice.randrange(low * 100, high * 100, 12)
        bill = Bill(
            place,
            issued,
            issued + timedelta(days=client.terms),
            cents,
            client.mode,
            site=dice.choice(client.sites) if client.sites else "",
            recent=recent,
        )
        after = list(_paid(bill, client, dice))
        if not client.opened or all(deed.on <= last for deed in after):
            yield _Story(bill, after)
        day += timedelta(days=max(6, int(dice.gauss(gap, gap / 3))))


def _paid(bill: Bill, client: Client, dice: Random) -> Iterator[Deed]:
    """How a bill was settled: at once or in two parts, after a quarrel, a promise kept or not."""
    low, high = LATENESS[client.habit]
    late = 0 if bill.mode == "direct_debit" else dice.randint(low, high)
    luck = dice.random()
    due = bill.due

    def after(days: int) -> date:
        return _open_day(due + timedelta(days=days))

    def bank(days: int) -> date:
        """Older payments came in on Mondays and Thursdays."""
        day = due + timedelta(days=days)
        wait = (
            0 if bill.recent else min((MONDAY - day.weekday()) % 7, (THURSDAY - day.weekday()) % 7)
        )
        return _open_day(day + timedelta(days=wait))

    if luck < 0.04 and late > 3:
        category, note = dice.choice(words.DISPUTES)
        yield Deed(after(4), False, "dispute", bill.client, text=f"{category}|{note}")
        yield Deed(after(12), False, "settled", bill.client)
        late = max(late, 16)
    elif luck < 0.16 and late > 12:
        kept = dice.random() < 0.6
        until = bank(late if kept else late - 5)
        yield Deed(after(8), False, "promise", bill.client, cents=bill.cents, until=until)
    if 0.8 < luck < 0.9 and late > 4:
        part = bill.cents // 2
        yield Deed(bank(2), True, "payment", bill.client, cents=part)
        yield Deed(bank(late), True, "payment", bill.client, cents=bill.cents - part)
    else:
        yield Deed(bank(late), True, "payment", bill.client, cents=bill.cents)


def _open_day(day: date) -> date:
    """Banks and people work on working days only."""
    return day if is_working_day(ZONE, day) else next_working_day(ZONE, day)


def _worked(day: date) -> date:
    """The day itself, or the last working day before it."""
    return day if is_working_day(ZONE, day) else previous_working_day(ZONE, day)


def _open(of: Frame, place: int, client: Client, one: Open) -> _Story:
    """An invoice that is still open today, with what happened to it."""
    due = of.day(one.anchor, one.days)
    bill = Bill(
        place,
        due - timedelta(days=client.terms),
        due,
        one.cents,
        one.mode or client.mode,
        one.site,
        recent=True,
    )
    after = []
    if one.paid_cents:
        on = of.today - timedelta(days=one.paid_days_ago)
        after.append(Deed(on, True, "payment", place, cents=one.paid_cents))
    if one.disputed_days_ago:
        on = of.today - timedelta(days=one.disputed_days_ago)
        after.append(Deed(_worked(on), False, "dispute", place, text=f"Livraison|{one.dispute}"))
    if one.promise:
        on = of.today - timedelta(days=one.promise.made)
        until = of.today - timedelta(days=one.promise.until)
        cents = one.promise.cents or one.cents
        after.append(Deed(_worked(on), False, "promise", place, cents=cents, until=until))
    return _Story(bill, after)


def _states(of: Frame, place: int, client: Client) -> Iterator[Deed]:
    """Credits, holds and judgments: what is about a customer and not about a bill."""
    if client.credit_cents:
        on = of.today - timedelta(days=12)
        yield Deed(on, True, "credit", place, cents=client.credit_cents)
    if client.state == "hold":
        on, until = of.today - timedelta(days=10), of.today + timedelta(days=20)
        text = "Saison difficile, échéancier convenu avec le gérant."
        yield Deed(_worked(on), False, "hold", place, until=until, text=text)
    if client.state == "judgment":
        yield Deed(of.today - timedelta(days=38), True, "judgment", place)
    if client.state == "excluded":
        yield Deed(of.first, True, "exclude", place)

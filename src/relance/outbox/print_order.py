"""In which order the letters of a run come out of the printer, and the sheet that lies on top.

Registered letters first, for they are handed in at the counter with their slips; the others by
country, postcode, town and street, as the post sorts them: a deposit already in order goes faster
at the sorting office, and letters for one address lie together and may share an envelope.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from relance.engine import wording
from relance.formats.text import fold
from relance.outbox.channels.letter import Printed, sheets, spans
from relance.outbox.models import Message, PrintRun

_TOWN = re.compile(r"(\d{5}) (.+)")


def sorted_for_the_post(letters: Iterable[Message]) -> list[Message]:
    """Registered ones first; then by country (France before others), postcode, town, street."""
    return sorted(letters, key=lambda one: (*_place(one.letter or {}), one.pk))


def _place(letter: Mapping[str, Any]) -> tuple[Any, ...]:
    to = [str(line) for line in letter.get("to", ())] or [""]
    town = _TOWN.fullmatch(to[-1])
    at = len(to) - (1 if town else 2)
    country = "" if town else fold(to[-1])
    code, city = town.groups() if town else ("", to[at] if at >= 0 else "")
    street = to[at - 1] if at > 1 else ""
    number = re.match(r"\d+", street)
    return (
        not letter.get("registered"),
        country,
        code,
        fold(city),
        re.sub(r"^[\d ]+", "", fold(street)),
        int(number.group()[:6]) if number else 0,
        fold(to[0]),
    )


def cover(run: PrintRun, letters: Sequence[Message], printed: Printed, *, at: datetime) -> Printed:
    """The list of a run, in the language that is active: who made it, when, how many, for whom."""
    registered = sum(1 for one in letters if (one.letter or {}).get("registered"))
    sums: Counter[str] = Counter()
    for one in letters:
        sums[one.currency] += one.amount_cents
    facts = [(_("courriers"), _number(len(letters)))]
    if registered:
        facts.append((_("dont recommandés"), _number(registered)))
    facts.append((_("pages"), _number(printed.pages)))
    facts += [
        (_("au total"), wording.money_words(cents, code)) for code, cents in sorted(sums.items())
    ]
    local = timezone.localtime(at)
    said = {
        "who": run.made_by or "–",
        "day": wording.date_words(local.date(), _),
        "hour": f"{local:%H:%M}",
    }
    return sheets.cover(
        organisation=run.organisation.name,
        title=_("Bordereau du tirage n°\u00a0%(number)s") % {"number": run.pk},
        made=_("Préparé par %(who)s, le %(day)s à %(hour)s") % said,
        facts=facts,
        notes=_notes(letters, registered),
        rows=[
            _row(number, one, count)
            for number, (one, (_start, count)) in enumerate(
                zip(letters, spans(printed), strict=True), start=1
            )
        ],
        at=at,
    )


def _notes(letters: Sequence[Message], registered: int) -> list[str]:
    order = _("Dans l’ordre du tirage\u00a0: pays, code postal, ville, rue.")
    if registered:
        order = _(
            "Les recommandés viennent d’abord, à déposer au guichet\u00a0; puis par pays, code "
            "postal, ville et rue."
        )
    enclosed = sum(1 for one in letters if (one.letter or {}).get("enclosures"))
    if not enclosed:
        return [order]
    return [order, _("Des pièces sont à joindre aux courriers marqués P.\u00a0J.")]


def _row(number: int, message: Message, pages: int) -> list[str]:
    letter = message.letter or {}
    to = letter.get("to") or [str(message.customer)]
    town = to[-1] if _TOWN.fullmatch(to[-1]) or len(to) < 2 else f"{to[-2]}, {to[-1]}"
    marks = [_("recommandé")] if letter.get("registered") else []
    marks += [_("P.\u00a0J.")] if letter.get("enclosures") else []
    amount = wording.money_words(message.amount_cents, message.currency)
    return [_number(number), to[0], ", ".join(marks), town, _number(pages), amount]


def _number(count: int) -> str:
    return f"{count:,}".replace(",", wording.NNBSP)

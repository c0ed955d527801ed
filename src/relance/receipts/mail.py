"""The message that asks for receipts: the same form whoever asks, a person or the calendar (S0-29).

Four transactions with their own link, those to be confirmed apart (D-23), *Voir plus* with its
count, the Excel (S0-30 to S0-33). Pure: everything it says is passed in.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.bank.models import Missing, Transaction
from relance.engine.receipts import SHOWN_IN_MESSAGE
from relance.engine.wording import date_words, money_words, sums_words


class Line(NamedTuple):
    """One transaction of the message, in words."""

    name: str
    detail: str
    amount: str
    url: str
    to_confirm: bool


class Letter(NamedTuple):
    """What one reads, in text and in HTML."""

    subject: str
    text: str
    html: str


def request_letter(
    *,
    rows: Sequence[Transaction],
    asker: str,
    dossier: str,
    signature: str,
    note: str,
    url: str,
    filename: str,
    by_mail: bool,
    first: date | None = None,
    last: date | None = None,
) -> Letter:
    """The message about `rows`, the whole set, newest first.

    `first` and `last` (local dates, both included) are the period that was chosen, if any.

    `url` is the door's, without a slash at its end; `asker` is the firm, or the organisation
    itself when it has none; `by_mail`: files sent in answer to the message are read.
    """
    count = len(rows)
    total = _sum_words(rows)
    lines = [_line(row, url) for row in rows[:SHOWN_IN_MESSAGE]]
    title = ngettext(
        "%(n)s justificatif nous manque", "%(n)s justificatifs nous manquent", count
    ) % {"n": count}
    if period := period_words(first, last):
        title = f"{title} {period}"
    context = {
        "asker": asker,
        "dossier": dossier,
        "title": title,
        "lead": _lead(count, total),
        "note": note,
        "to_provide": [line for line in lines if not line.to_confirm],
        "to_confirm": [line for line in lines if line.to_confirm],
        "more": count - len(lines),
        "url": url,
        "filename": filename,
        "by_mail": by_mail,
        "signature": signature,
    }
    text = render_to_string("receipts/request.txt", context)
    tidy = "\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n"
    return Letter(title, tidy, render_to_string("receipts/request.html", context))


def _lead(count: int, total: str) -> str:
    if count > SHOWN_IN_MESSAGE:
        words = _(
            "Pour tenir vos comptes à jour, il nous manque le justificatif de %(n)s opérations"
            " bancaires, %(total)s en tout. Voici les quatre plus récentes\u00a0: une photo"
            " suffit, sans mot de passe."
        )
        return words % {"n": count, "total": total}
    words = ngettext(
        "Pour tenir vos comptes à jour, il nous manque le justificatif d’une opération bancaire"
        " (%(total)s). Une photo suffit, sans mot de passe.",
        "Pour tenir vos comptes à jour, il nous manque le justificatif de %(n)s opérations"
        " bancaires, %(total)s en tout. Une photo suffit, sans mot de passe.",
        count,
    )
    return words % {"n": count, "total": total}


def period_words(first: date | None, last: date | None) -> str:
    """`pour octobre 2024`, `du 3 oct. 2024 au …`, or empty when no period was chosen (S0-22)."""
    if first is None and last is None:
        return ""
    if first is None or last is None:
        day = date_words(first or last or date.min, _)
        said = _("jusqu’au %(day)s") if first is None else _("depuis le %(day)s")
        return said % {"day": day}
    if first == last:
        return _("pour le %(day)s") % {"day": date_words(first, _)}
    whole = first.day == 1 and last.day == monthrange(last.year, last.month)[1]
    if whole and (first.year, first.month) == (last.year, last.month):
        month = str(MONTHS[first.month])
        return _("pour %(month)s %(year)s") % {"month": month, "year": first.year}
    words = {"first": date_words(first, _), "last": date_words(last, _)}
    return _("du %(first)s au %(last)s") % words


def _sum_words(rows: Sequence[Transaction]) -> str:
    """The absolute amounts, added up by currency."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + abs(row.amount_cents)
    return sums_words(sums)


def _line(row: Transaction, url: str) -> Line:
    detail = date_words(row.booked, _)
    if row.missing == Missing.PARTIAL:
        left = money_words(row.lacking_cents, row.currency)
        detail = _("%(day)s, il manque %(left)s") % {"day": detail, "left": left}
    return Line(
        name=(row.name or row.label)[:60],
        detail=detail,
        amount=money_words(abs(row.amount_cents), row.currency),
        url=f"{url}/{row.pk}/",
        to_confirm=row.missing == Missing.POTENTIAL,
    )

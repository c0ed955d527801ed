"""How a mail looks: one column, styles on the elements, readable on a telephone and at night.

Mail programs keep little of a style sheet (decision 5): it only turns the colours for the dark.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from html import escape

import nh3
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from relance.engine import model as engine
from relance.engine import wording

# The same days and often the same amounts come back in thousands of messages.
money_words = lru_cache(maxsize=4096)(wording.money_words)
_BODY = (
    "margin:0;padding:0;background:#ffffff;color:#1f1c19;"
    "font:15px/1.5 -apple-system,'Segoe UI',Roboto,Arial,sans-serif"
)
_SHEET = "max-width:600px;box-sizing:border-box;padding:24px 16px;overflow-wrap:anywhere"
_TABLE = "border-collapse:collapse;width:100%;max-width:600px;margin:0 0 14px"
_HEAD = (
    "text-align:left;font-weight:500;color:#544e47;border-bottom:1px solid #cfc8bc;"
    "padding:4px 8px 4px 0"
)
_CELL = "border-bottom:1px solid #e7e2da;padding:4px 8px 4px 0;vertical-align:top"
_DAY = "white-space:nowrap"
WHOLE_NUMBER = 16
"""Characters of an invoice number that stays on one line of a phone; longer ones may break."""
_TOTAL = "font-weight:600;padding:4px 8px 4px 0"
_RIGHT = "text-align:right;white-space:nowrap;padding-right:0"
_DARK = (
    "@media (prefers-color-scheme:dark){"
    "body{background:#1c1a17!important;color:#ece6dc!important}"
    "th{color:#bdb4a7!important}th,td{border-color:#4b443b!important}"
    "a{color:#9dc3f0!important}}"
)


@lru_cache(maxsize=4096)
def _dated(day: date, language: str | None) -> str:
    return wording.date_words(day, _)


def date_words(day: date) -> str:
    """The day in the language that is active: the customer's."""
    return _dated(day, get_language())


@lru_cache(maxsize=16)
def _headings(language: str | None) -> tuple[str, str, str, str]:
    """The fixed words of the table, looked up once per language of the process."""
    return _("Facture"), _("Échéance"), _("Reste dû"), _("Total à régler")


def _whole(number: str) -> str:
    return f";{_DAY}" if len(number) <= WHOLE_NUMBER else ""


def table(invoices: Sequence[engine.Invoice], amount: int) -> tuple[str, str]:
    """The table of invoices as aligned text and as HTML."""
    *head, total_words = _headings(get_language())
    rows = [(i.number, date_words(i.due), money_words(i.balance, i.currency)) for i in invoices]
    total = (total_words, "", money_words(amount, invoices[0].currency))
    lines = [head, *rows, total]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    text = "\n".join(
        f"{a.ljust(widths[0])}  {b.ljust(widths[1])}  {c.rjust(widths[2])}".rstrip()
        for a, b, c in lines
    )
    body = "".join(
        f'<tr><td style="{_CELL}{_whole(number)}">{escape(number)}</td>'
        f'<td style="{_CELL};{_DAY}">{due}</td>'
        f'<td style="{_CELL};{_RIGHT}" class="amount">{balance}</td></tr>'
        for number, due, balance in rows
    )
    html = (
        f'<table class="invoices" style="{_TABLE}"><thead><tr><th style="{_HEAD}">{head[0]}</th>'
        f'<th style="{_HEAD}">{head[1]}</th>'
        f'<th style="{_HEAD};{_RIGHT}" class="amount">{head[2]}</th></tr></thead>'
        f'<tbody>{body}</tbody><tfoot><tr><td colspan="2" style="{_TOTAL}">{total[0]}</td>'
        f'<td style="{_TOTAL};{_RIGHT}" class="amount">{total[2]}</td></tr></tfoot></table>'
    )
    return text, html


def page(subject: str, body: str, language: str) -> str:
    """A whole HTML mail, its styles on the elements: readable in the plainest client."""
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(subject)}</title><style>{_DARK}</style></head>"
        f'<body style="{_BODY}"><div style="{_SHEET}">{body}</div></body></html>'
    )


def fragment(html: str) -> str:
    """The body of a stored mail, cleaned for showing inside a page of ours (styles dropped)."""
    return mark_safe(  # noqa: S308 - nh3 is what makes it safe
        nh3.clean(
            html,
            tags={"p", "br", "strong", "em", "table", "thead", "tbody", "tfoot", "tr", "th", "td"},
            attributes={"table": {"class"}, "td": {"class", "colspan"}, "th": {"class"}},
            clean_content_tags={"script", "style", "title", "head"},
        )
    )

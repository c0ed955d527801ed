"""Tags and filters of every page: how figures, dates, levels and states are shown."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from relance.engine.wording import sums_words
from relance.web import french

register = template.Library()

# kind: (icon, usual word). The same icon for the same thing everywhere.
STATUSES: dict[str, tuple[str, Any]] = {
    "late": ("clock", gettext_lazy("En retard")),
    "due": ("calendar", gettext_lazy("À échoir")),
    "dispute": ("scales", gettext_lazy("Litige")),
    "promise": ("promise", gettext_lazy("Promesse")),
    "broken": ("promise", gettext_lazy("Promesse rompue")),
    "error": ("error", gettext_lazy("Erreur")),
    "doubt": ("triangle", gettext_lazy("Envoi incertain")),
    "done": ("tick", gettext_lazy("Payée")),
    "auto": ("bolt", gettext_lazy("Automatique")),
    "manual": ("actions", gettext_lazy("À faire par vous")),
    "paused": ("pause", gettext_lazy("Suspendu")),
    "info": ("info", gettext_lazy("Information")),
    "off": ("minus", gettext_lazy("Sans relance")),
}
CHANNEL_ICONS = {
    "email": "email",
    "letter": "letter",
    "registered": "registered",
    "registered_letter": "registered",
    "sms": "sms",
    "call": "phone",
    "phone": "phone",
    "task": "task",
}


@lru_cache
def _sprite() -> str:
    return static("relance/icons.svg")


@register.simple_tag
def icon(name: str, label: str = "", cls: str = "") -> SafeString:
    """`{% icon "bank" %}`, decorative; with `label` it is an image with that name."""
    classes = f"icon {cls}".strip()
    if name == "star" and "icon--star" not in classes:
        classes += " icon--star"
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}#{}"></use></svg>',
            classes,
            label,
            _sprite(),
            name,
        )
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        classes,
        _sprite(),
        name,
    )


@register.simple_tag
def channel_icon(channel: str, label: str = "", cls: str = "") -> SafeString:
    """The icon of a channel (email, letter, registered, sms, call, task)."""
    return icon(CHANNEL_ICONS.get(channel, "task"), label, cls)


# --- figures ------------------------------------------------------------------


ADDRESS = re.compile(r"[^\s@,;]+@[^\s@,;]+")


@register.filter
def breaks(text: str) -> SafeString:
    """`{{ detail|breaks }}`: an address too long for its line breaks at its @ or after a dot."""
    words = str(escape(text))
    return mark_safe(  # noqa: S308 - escaped above, only <wbr> is added
        ADDRESS.sub(lambda m: re.sub(r"(@)|([.])", r"<wbr>\1\2", m.group()), words)
    )


@register.filter
def money(cents: int | None, currency: str = "EUR") -> str:
    """`{{ invoice.open_cents|money:invoice.currency }}`; nothing known gives `–`."""
    return french.NOTHING if cents is None else french.money(cents, currency or "EUR")


@register.filter
def money_sums(sums: Mapping[str, int]) -> str:
    """`{{ totals.sums|money_sums }}` as `12,00 € + 357,77 CAD`: cents by currency."""
    return sums_words(sums)


@register.filter
def money_whole(cents: int | None, currency: str = "EUR") -> str:
    """An amount without its cents, for chart legends only."""
    if cents is None:
        return french.NOTHING
    return french.money(cents, currency or "EUR", decimals=False)


@register.filter
def number(value: int | None) -> str:
    """`{{ 1284|number }}` as `1 284`."""
    return french.NOTHING if value is None else french.number(value)


@register.filter
def percent(value: float | None, decimals: int = 0) -> str:
    """`{{ 43|percent }}` as `43 %`: the value is in percentage points."""
    return french.NOTHING if value is None else french.percent(value, decimals)


@register.filter
def days_late(count: int | None) -> str:
    """`18 j`; nothing late gives `–`."""
    return french.NOTHING if not count or count < 0 else french.days(count)


@register.filter
def days(count: int | None) -> str:
    """A number of calendar days: `5 j`, `0 j`."""
    return french.NOTHING if count is None else french.days(count)


@register.simple_tag
def counted(count: int, one: str, many: str) -> str:
    """`{% counted n _("facture") _("factures") %}` as `7 factures`, `0 facture`."""
    return french.counted(count, one, many)


# --- dates --------------------------------------------------------------------


def _today(context: Context) -> date | None:
    found = context.get("today") or getattr(context.get("shell"), "today", None)
    if found is None and isinstance(context.get("shell"), dict):
        found = context["shell"].get("today")
    return found if isinstance(found, date) else None


def _local(value: date | datetime) -> date:
    if not isinstance(value, datetime):
        return value
    return (timezone.localtime(value) if timezone.is_aware(value) else value).date()


def _raised(text: str) -> SafeString:
    """The `er` of `1er` raised; the text holds nothing but a date of ours."""
    head, mark, tail = text.partition(f"1er{french.NBSP}")
    if not mark or (head and head[-1].isdigit()):
        return format_html("{}", text)
    return format_html("{}1<sup>er</sup>{}{}", head, french.NBSP, tail)


@register.simple_tag(takes_context=True)
def date_fr(context: Context, value: date | datetime | None, style: str = "short") -> SafeString:
    """`<time>` in style short, weekday or long; add ` year` to always write the year.

    The year of `today` (context `today` or `shell.today`) is understood, and still said to
    screen readers; the tooltip has the whole date.
    """
    if value is None:
        return format_html("{}", french.NOTHING)
    day = _local(value)
    base, _space, wish = style.partition(" ")
    today = None if wish == "year" else _today(context)
    text = french.date_text(day, today, base)
    unsaid = ""
    if today is not None and today.year == day.year:
        unsaid = format_html('<span class="year-unsaid"> {}</span>', day.year)
    return format_html(
        '<time datetime="{}" title="{}">{}{}</time>',
        day.isoformat(),
        french.date_text(day, None, "long"),
        _raised(text),
        unsaid,
    )


@register.simple_tag(takes_context=True)
def relative_day(
    context: Context, value: date | datetime | None, style: str = "since"
) -> SafeString:
    """`3 j`, `hier`, `ce jour` (style since), or `lun.`, `20 nov.` (style event)."""
    if value is None:
        return format_html("{}", french.NOTHING)
    day, today = _local(value), _today(context)
    text = french.relative_day(day, today, style) if today else french.date_text(day)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        day.isoformat(),
        french.date_text(day, None, "long"),
        _raised(text),
    )


# --- levels and states --------------------------------------------------------


@register.simple_tag
def ladder(level: int | None, steps: int = 5) -> SafeString:
    """The ticks alone, filled up to `level` of `steps`; say the level beside them."""
    reached, total = max(level or 0, 0), max(steps, 1)
    ticks = format_html_join(
        "",
        '<rect class="{}" x="{}" y="0" width="3" height="10" rx="0.8"></rect>',
        (("ladder-on" if i < reached else "ladder-off", i * 5) for i in range(total)),
    )
    width = total * 5 - 2
    return format_html(
        '<svg class="ladder" width="{0}" height="10" viewBox="0 0 {0} 10" aria-hidden="true">'
        "{1}</svg>",
        width,
        ticks,
    )


def level_name(level: int | None, name: str = "") -> str:
    """`Second rappel (2)`, `Niveau 2`, or `Jamais relancée`."""
    if not level:
        return _("Jamais relancée")
    return f"{name}{french.NBSP}({level})" if name else _("Niveau") + french.NBSP + str(level)


@register.simple_tag
def level(level: int | None, name: str = "", steps: int = 5, never: str = "") -> SafeString:
    """`{% level 2 "Second rappel" steps=5 %}`: the ladder, then the name and number.

    Level 0 or None is `Jamais relancée`, or the shorter word given as `never`.
    """
    if not level:
        return format_html('<span class="level level--never">{}</span>', never or level_name(None))
    return format_html(
        '<span class="level">{}<span>{}</span></span>',
        ladder(level, steps),
        level_name(level, name),
    )


@register.simple_tag
def status(kind: str, text: str = "", pill: bool = False) -> SafeString:
    """`{% status "late" "En retard de 18 j" %}`: icon, word and colour of one state.

    Kinds: late due dispute promise broken error doubt done auto manual paused info off.
    `pill=True` only where the state stands alone on a page.
    """
    name, word = STATUSES[kind]
    classes = f"status status--{kind}" + (" status--pill" if pill else "")
    return format_html(
        '<span class="{}">{}<span>{}</span></span>', classes, icon(name), text or word
    )


@register.simple_tag
def phone_places(nav: Any) -> list[Any]:
    """The four places of the phone bar: entries with a `phone` label, else the first four."""
    entries = [entry for section in nav or [] for entry in _get(section, "items") or []]
    chosen = [entry for entry in entries if _get(entry, "phone")]
    return (chosen or entries)[:4]


def _get(thing: Any, key: str) -> Any:
    return thing.get(key) if isinstance(thing, dict) else getattr(thing, key, None)

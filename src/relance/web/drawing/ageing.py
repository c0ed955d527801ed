"""Age of the open amounts: one bar, and beside every colour its label and amount."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from relance.web import french
from relance.web.drawing.svg import join, picture, tag

_WIDTH, _GAP = 600.0, 2.0


@dataclass(frozen=True)
class AgeBand:
    """One band, youngest first: its label (`1 à 30 j`), open cents, and where it leads."""

    label: str
    cents: int
    url: str = ""


def _segments(bands: Sequence[AgeBand]) -> list[SafeString]:
    known = [(step, band) for step, band in enumerate(bands) if band.cents > 0]
    total = sum(band.cents for _step, band in known)
    room = _WIDTH - _GAP * max(len(known) - 1, 0)
    # A band that exists is seen, however small.
    least = 3.0
    sizes = [max(room * band.cents / total, least) for _step, band in known]
    scale = room / sum(sizes) if sizes else 1
    drawn: list[SafeString] = []
    left = 0.0
    for (step, _band), size in zip(known, sizes, strict=True):
        drawn.append(
            tag("rect", cls=f"age-{min(step, 4)}", x=left, y=0, width=size * scale, height=14)
        )
        left += size * scale + _GAP
    return drawn


def ageing_bar(bands: Sequence[AgeBand], title: str, currency: str = "EUR") -> SafeString:
    """A `<figure class="ageing">`: the bar and its legend. Five bands, not due first.

    Negative bands (credits) are written in the legend and not drawn.
    """
    told = ", ".join(f"{band.label} {french.money(band.cents, currency)}" for band in bands)
    bar = picture(_WIDTH, 14, join(_segments(bands)), title, told, stretch=True)
    legend = format_html_join(
        "",
        '<li><span class="ageing-label"><svg viewBox="0 0 8 8" aria-hidden="true">'
        '<rect class="age-{}" width="8" height="8" rx="1.5"/></svg>{}</span>'
        '<span class="ageing-amount money">{}</span></li>',
        (
            (
                min(step, 4),
                format_html('<a class="link--plain" href="{}">{}</a>', band.url, band.label)
                if band.url
                else band.label,
                french.money(band.cents, currency, decimals=False),
            )
            for step, band in enumerate(bands)
        ),
    )
    return format_html(
        '<figure class="ageing">{}<ul class="ageing-legend">{}</ul></figure>', bar, legend
    )

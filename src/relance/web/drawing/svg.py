"""The few gestures shared by all drawings: an element, a picture with its words, two widths."""

from collections.abc import Callable, Iterable

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

# Mean advance of Inter at 1 px, medium weight, French text: enough to keep labels apart.
_ADVANCE = 0.545
# The widths that drawings.css knows; it shows the one that fits the container.
FLUID_WIDTHS = (328, 668, 1044, 1640)


def text_width(text: str, size: float = 12) -> float:
    """About how many pixels `text` takes, to decide where labels would touch."""
    return len(text) * size * _ADVANCE


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def tag(name: str, content: str = "", /, **attributes: str | float | None) -> SafeString:
    """One SVG element; `cls` is class, `_` in names becomes `-`, None is left out."""
    pairs = (
        (
            {"cls": "class"}.get(key, key.replace("_", "-")),
            value if isinstance(value, str) else number(value),
        )
        for key, value in attributes.items()
        if value is not None
    )
    inside = format_html_join("", ' {}="{}"', pairs)
    return format_html("<{0}{1}>{2}</{0}>", name, inside, conditional_escape(content))


def join(parts: Iterable[str]) -> SafeString:
    """Escaped parts one after the other; what is already markup stays so."""
    return format_html_join("", "{}", ((part,) for part in parts))


def text(x: float, y: float, words: str, kinds: str = "", anchor: str | None = None) -> SafeString:
    """A label; `kinds` are suffixes of dw-text (strong, soft, faint, tiny, accent, warn)."""
    classes = " ".join(["dw-text", *(f"dw-text--{kind}" for kind in kinds.split())])
    return tag("text", words, cls=classes, x=x, y=y, text_anchor=anchor)


def picture(
    width: float,
    height: float,
    content: str,
    title: str,
    description: str = "",
    stretch: bool = False,
) -> SafeString:
    """The SVG itself: an image with a name, and its contents told in words."""
    words = tag("title", title)
    if description:
        words = join([words, tag("desc", description)])
    return tag(
        "svg",
        join([words, content]),
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=f"{title}. {description}" if description else title,
        preserveAspectRatio="none" if stretch else None,
    )


def fluid(draw: Callable[[float], str]) -> SafeString:
    """What `draw` makes for four widths, the one shown being the one that fits.

    So letters stay between 10 and 14 px from a phone to a wall screen.
    """
    drawn = ((width, draw(width)) for width in FLUID_WIDTHS)
    shown = format_html_join("", '<div class="drawing-at drawing-at--{}">{}</div>', drawn)
    return format_html('<div class="drawing">{}</div>', shown)


def responsive(narrow: str, wide: str) -> SafeString:
    """Two drawings of the same thing, for a phone and for all that is wider; lighter than four."""
    return format_html(
        '<div class="drawing"><div class="drawing-at drawing-at--328">{}</div>'
        '<div class="drawing-at drawing-at--wide">{}</div></div>',
        narrow,
        wide,
    )

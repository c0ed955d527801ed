"""The time axis: one drawing for the plan editor, the next sixty days and the reason.

Rest days are shaded; a hatched band guards the days after a contact; a filled disc is
automatic, a ring is done by hand, an ink disc is a contact made, a dashed one is where a step
wanted to be, and an amber arrow goes from there to where it will be. Today and the due date
are vertical ink lines.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from zlib import crc32

from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from relance.web import french
from relance.web.drawing.svg import fluid, join, number, picture, tag, text, text_width

MarkKind = Literal["auto", "manual", "contact", "wanted"]
Style = Literal["plan", "days", "reason"]


@dataclass(frozen=True)
class Mark:
    """A disc on a day. `number` is written inside (plan); `icon` is a name of the sprite."""

    day: date
    kind: MarkKind
    label: str = ""
    detail: str = ""
    number: str = ""
    icon: str = ""


@dataclass(frozen=True)
class Guard:
    """The minimum contact delay: `days` calendar days from the contact on `start`."""

    start: date
    days: int
    label: str = ""


@dataclass(frozen=True)
class Slip:
    """A step that wanted `wanted` and will happen on `actual`; `label` as `J+10 → J+12`."""

    wanted: date
    actual: date
    label: str = ""
    number: str = ""


@dataclass(frozen=True)
class Line:
    """A vertical ink line: today, or the due date."""

    day: date
    label: str = ""
    detail: str = ""


@dataclass(frozen=True)
class TimeAxis:
    """All that one picture shows, from `start` to `end`, both included.

    Styles: plan (named steps over their discs, no day numbers), days (flags, some day numbers
    and the months), reason (a few days, each with its number). Behind `dotted_from` the axis is
    dotted and `end_note` written. `description` says the picture in words, for who cannot see it.
    """

    start: date
    end: date
    title: str
    description: str = ""
    style: Style = "days"
    marks: tuple[Mark, ...] = ()
    guards: tuple[Guard, ...] = ()
    slips: tuple[Slip, ...] = ()
    lines: tuple[Line, ...] = ()
    rest_days: frozenset[date] = frozenset()
    dotted_from: date | None = None
    end_note: str = ""


@dataclass(frozen=True)
class _Sizes:
    """Heights of a style: the label block, air under it, half heights of band and rest, foot."""

    block: float
    air: float
    band: float
    rest: float
    radius: float
    foot: float


_SIZES: dict[Style, _Sizes] = {
    "plan": _Sizes(block=54, air=66, band=9.5, rest=34, radius=11.5, foot=60),
    "days": _Sizes(block=15, air=32, band=5, rest=16, radius=6.5, foot=50),
    "reason": _Sizes(block=16, air=26, band=7.5, rest=23, radius=6, foot=54),
}
_NARROW = 500


@dataclass(frozen=True)
class _Label:
    """A label with its place: horizontal extent, anchor, lane counted up from the axis."""

    mark: Mark
    left: float
    right: float
    lane: int


class _Canvas:
    """Where days and heights fall for one axis at one width."""

    def __init__(self, axis: TimeAxis, width: float) -> None:
        self.axis, self.width = axis, width
        self.sizes = _SIZES[axis.style]
        self.slot = width / max((axis.end - axis.start).days + 1, 1)
        self.labels = _lanes(axis, self) if self.has_labels else []
        lanes = max((label.lane for label in self.labels), default=-1) + 1
        self.y = lanes * self.sizes.block + (self.sizes.air if lanes else self.sizes.rest + 4)
        self.height = self.y + self.sizes.foot

    @property
    def has_labels(self) -> bool:
        """A narrow plan shows numbers only: its steps are listed under it."""
        return self.axis.style != "plan" or self.width >= _NARROW

    def edge(self, day: date) -> float:
        """The left edge of a day."""
        return (day - self.axis.start).days * self.slot

    def centre(self, day: date) -> float:
        return self.edge(day) + self.slot / 2

    def shown(self, day: date) -> bool:
        return self.axis.start <= day <= self.axis.end

    def base(self, lane: int) -> float:
        """The bottom of a label in `lane`."""
        return self.y - self.sizes.air - lane * self.sizes.block


def _extent(mark: Mark, canvas: _Canvas) -> tuple[float, float]:
    """How far a label reaches: a flag to the right of its line, else centred on the disc."""
    x = canvas.centre(mark.day)
    width = max(text_width(mark.label, 12.6), text_width(mark.detail, 12))
    if canvas.axis.style == "days":
        if x + 4 + width > canvas.width:
            return x - 4 - width, x - 4
        return x + 4, x + 4 + width
    left = min(max(x - width / 2, 0), max(canvas.width - width, 0))
    return left, left + width


def _lanes(axis: TimeAxis, canvas: _Canvas) -> list[_Label]:
    """Labels that do not touch. From the right: a label over another one stands higher."""
    placed: list[_Label] = []
    for mark in sorted(axis.marks, key=lambda mark: mark.day, reverse=True):
        if not mark.label or not canvas.shown(mark.day):
            continue
        left, right = _extent(mark, canvas)
        over = [one.lane for one in placed if one.left < right + 8 and left < one.right + 8]
        placed.append(_Label(mark, left, right, max(over, default=-1) + 1))
    return placed


def _rest(canvas: _Canvas) -> Iterable[SafeString]:
    """Neighbouring rest days as one shade."""
    day = canvas.axis.start
    while day <= canvas.axis.end:
        last = day
        if day in canvas.axis.rest_days:
            while last + timedelta(1) in canvas.axis.rest_days and last < canvas.axis.end:
                last += timedelta(1)
            left = canvas.edge(day)
            yield tag(
                "rect",
                cls="dw-rest",
                x=left,
                y=canvas.y - canvas.sizes.rest,
                width=canvas.edge(last + timedelta(1)) - left,
                height=canvas.sizes.rest * 2,
            )
        day = last + timedelta(1)


def _ground(canvas: _Canvas) -> Iterable[SafeString]:
    end = canvas.width
    dotted = canvas.axis.dotted_from
    if dotted is not None and canvas.shown(dotted):
        end = canvas.edge(dotted)
        line = f"M{number(end)} {number(canvas.y)}H{number(canvas.width)}"
        yield tag("path", cls="dw-axis dw-axis--dotted", d=line)
        room = canvas.width - end
        if canvas.axis.end_note and text_width(canvas.axis.end_note) < room:
            middle = canvas.y - canvas.sizes.rest - 14
            yield text(canvas.width - room / 2, middle, canvas.axis.end_note, "soft", "middle")
    yield tag("path", cls="dw-axis", d=f"M0 {number(canvas.y)}H{number(end)}")


def _guards(canvas: _Canvas, hatch: str) -> Iterable[SafeString]:
    half = canvas.sizes.band
    top = canvas.y - half
    for guard in canvas.axis.guards:
        left = max(canvas.centre(guard.start), 0)
        right = min(canvas.centre(guard.start + timedelta(guard.days)), canvas.width)
        if right <= left:
            continue
        box = {"x": left, "y": top, "width": right - left, "height": half * 2}
        yield tag("rect", cls="dw-guard", **box)
        yield tag("rect", fill=f"url(#{hatch})", **box)
        frame = f"M{number(left)} {number(top)}H{number(right)}v{number(half * 2)}H{number(left)}"
        plan = f"M{number(right)} {number(top)}v{number(half * 2)}"
        yield tag("path", cls="dw-guard-edge", d=plan if canvas.axis.style == "plan" else frame)
        if guard.label and right - left > text_width(guard.label, 11) + 8:
            yield text((left + right) / 2, top + half * 2 + 14, guard.label, "soft tiny", "middle")


def _leaders(canvas: _Canvas) -> Iterable[SafeString]:
    if canvas.axis.style == "reason":
        return
    for label in canvas.labels:
        x = canvas.centre(label.mark.day)
        top = canvas.base(label.lane) + (6 if canvas.axis.style == "plan" else -11)
        yield tag("path", cls="dw-leader", d=f"M{number(x)} {number(top)}V{number(canvas.y)}")


def _disc(canvas: _Canvas, mark: Mark) -> Iterable[SafeString]:
    x, radius = canvas.centre(mark.day), canvas.sizes.radius
    if mark.kind in ("contact", "wanted"):
        radius = min(radius, 5.5)
    elif canvas.axis.style == "plan" and canvas.width < _NARROW:
        radius = 9.5
    ring = {"manual": 1.0, "wanted": 0.7}.get(mark.kind, 0.0)
    yield tag("circle", cls=f"dw-{mark.kind}", cx=x, cy=canvas.y, r=radius - ring)
    if mark.number and mark.kind in ("auto", "manual"):
        kind = f"dw-number dw-number--{mark.kind}"
        yield tag("text", mark.number, cls=kind, x=x, y=canvas.y + 4)


def _names(canvas: _Canvas) -> Iterable[SafeString]:
    style = canvas.axis.style
    for label in canvas.labels:
        mark, base = label.mark, canvas.base(label.lane)
        middle = (label.left + label.right) / 2
        if style == "days":
            yield text(label.left, base, mark.label)
        elif style == "reason":
            tone = {"auto": "tiny strong accent", "manual": "tiny strong accent"}
            yield text(middle, base, mark.label, tone.get(mark.kind, "tiny soft"), "middle")
        else:
            yield text(middle, base - 16, mark.label, "strong", "middle")
            yield text(middle, base, mark.detail, "soft", "middle")
            if mark.icon:
                href = f"{static('relance/icons.svg')}#{mark.icon}"
                place = {"x": canvas.centre(mark.day) - 8, "y": base - 50}
                yield tag("use", cls="dw-icon", href=href, width=16, height=16, **place)


def _slips(canvas: _Canvas) -> Iterable[SafeString]:
    radius = 9.5
    for slip in canvas.axis.slips:
        x, to, low = canvas.centre(slip.wanted), canvas.centre(slip.actual) - 4, canvas.y + 31
        yield tag("circle", cls="dw-slip", cx=x, cy=canvas.y, r=radius)
        yield tag("text", slip.number, cls="dw-number dw-number--slip", x=x, y=canvas.y + 4)
        turn = min(5.0, abs(to - x) / 2)
        start, tip = canvas.y + radius + 5, canvas.y + 18
        yield tag(
            "path",
            cls="dw-arrow",
            d=f"M{number(x)} {number(start)}V{number(low - turn)}q0 {number(turn)} {number(turn)} "
            f"{number(turn)}H{number(to - turn)}q{number(turn)} 0 {number(turn)} {number(-turn)}"
            f"V{number(tip)}M{number(to - 3.5)} {number(tip + 4.5)}l3.5 -4.5l3.5 4.5",
        )
        width = text_width(slip.label, 12.6)
        middle = min(max((x + to) / 2, width / 2), canvas.width - width / 2)
        under = 34 if _meets_line(canvas, middle, width) else 0
        yield text(middle, low + 17 + under, slip.label, "strong warn", "middle")


def _meets_line(canvas: _Canvas, middle: float, width: float) -> bool:
    """Whether a label under the axis would touch the words beside a due date."""
    left, right = middle - width / 2, middle + width / 2
    spans = (
        (x := canvas.centre(line.day), x + 10 + text_width(max(line.label, line.detail, key=len)))
        for line in canvas.axis.lines
        if line.label
    )
    return any(left < end and start < right for start, end in spans)


def _lines(canvas: _Canvas) -> Iterable[SafeString]:
    plan = canvas.axis.style == "plan"
    reach = 44.0 if plan else canvas.sizes.rest
    for line in canvas.axis.lines:
        if not canvas.shown(line.day):
            continue
        x = canvas.centre(line.day)
        top = canvas.y - (70 if plan and canvas.has_labels else canvas.sizes.rest)
        yield tag("path", cls="dw-ink", d=f"M{number(x)} {number(top)}V{number(canvas.y + reach)}")
        if not plan:
            continue
        words = text_width(max(line.label, line.detail, key=len), 12.6)
        beside, anchor = (x + 7, "start") if x + 7 + words < canvas.width else (x - 7, "end")
        yield text(beside, canvas.y + 42, line.label, "strong", anchor)
        yield text(beside, canvas.y + 57, line.detail, "soft", anchor)


def _day_numbers(canvas: _Canvas) -> Iterable[SafeString]:
    """Numbers of days: marked ones first and strong, the others where there is room."""
    axis, y = canvas.axis, canvas.y + canvas.sizes.rest + 15
    today = {line.day for line in axis.lines}
    every = [axis.start + timedelta(n) for n in range((axis.end - axis.start).days + 1)]
    strong = today | ({mark.day for mark in axis.marks} if axis.style == "days" else set())
    others = every if axis.style == "reason" else [day for day in every if day.weekday() == 0]
    taken: list[float] = []
    for day in sorted(strong) + [day for day in others if day not in strong]:
        x = canvas.centre(day)
        if not canvas.shown(day) or any(abs(x - other) < 19 for other in taken):
            continue
        taken.append(x)
        if axis.style == "days" and day in today and not any(m.day == day for m in axis.marks):
            taken.pop()
            continue
        yield text(x, y, str(day.day), "tiny strong" if day in strong else "tiny soft", "middle")
    if axis.style == "reason":
        for line in axis.lines:
            if canvas.shown(line.day):
                yield text(canvas.centre(line.day), y + 15, line.label, "tiny medium", "middle")


def _months(canvas: _Canvas) -> Iterable[SafeString]:
    axis, y = canvas.axis, canvas.y + canvas.sizes.rest
    starts = [axis.start]
    while (following := (starts[-1].replace(day=1) + timedelta(32)).replace(day=1)) <= axis.end:
        starts.append(following)
    for index, start in enumerate(starts):
        x = canvas.edge(start)
        room = (canvas.edge(starts[index + 1]) if index + 1 < len(starts) else canvas.width) - x
        name = french.month_name(start)
        if start.year != axis.start.year:
            name += f"\u00a0{start.year}"
        if text_width(name, 11.5) > room - 6:
            name = french.month_name(start, short=True)
        if index:
            line = f"M{number(x)} {number(y - 34)}V{number(y + 20)}"
            yield tag("path", cls="dw-month", d=line)
        if text_width(name, 11) <= room:
            yield text(x + (2 if index else 0), y + 31, name, "tiny strong soft")


def time_axis(axis: TimeAxis, width: float = 668) -> SafeString:
    """The picture of `axis`, drawn for about `width` pixels; letters are 11 to 12 px there."""
    canvas = _Canvas(axis, width)
    hatch = f"hatch-{crc32(f'{axis}{width}'.encode()):x}"
    stroke = tag("path", cls="dw-hatch", d="M0 0V5")
    pattern = tag(
        "pattern",
        stroke,
        id=hatch,
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    layers = [tag("defs", pattern), *_rest(canvas), *_ground(canvas)]
    if axis.style == "days":
        layers += _months(canvas)
    layers += [*_guards(canvas, hatch), *_leaders(canvas), *_lines(canvas)]
    if axis.style != "plan":
        layers += _day_numbers(canvas)
    layers += _slips(canvas)
    for mark in axis.marks:
        if canvas.shown(mark.day):
            layers += _disc(canvas, mark)
    layers += _names(canvas)
    extra = 34 if axis.slips and any(_slip_is_low(canvas, slip) for slip in axis.slips) else 0
    return picture(width, canvas.height + extra, join(layers), axis.title, axis.description)


def fluid_axis(axis: TimeAxis) -> SafeString:
    """`axis` at the four widths of the work column; in a panel `time_axis` alone is lighter."""
    return fluid(lambda width: time_axis(axis, width))


def _slip_is_low(canvas: _Canvas, slip: Slip) -> bool:
    middle = (canvas.centre(slip.wanted) + canvas.centre(slip.actual)) / 2
    return _meets_line(canvas, middle, text_width(slip.label, 12.6))


def legend(entries: Iterable[tuple[Literal["auto", "manual", "guard", "rest"], str]]) -> SafeString:
    """The words of a picture: `<ul class="legend">` with the sign and its meaning."""
    signs: dict[str, SafeString] = {
        "auto": tag("circle", cls="dw-auto", cx=7, cy=7, r=5.5),
        "manual": tag("circle", cls="dw-manual", cx=7, cy=7, r=4.6),
        "guard": join(
            [
                tag("rect", cls="dw-guard", width=14, height=10, y=2),
                tag("path", cls="dw-hatch", d="M0 9L6 2M3 12L12 2M9 12l5-6"),
            ]
        ),
        "rest": tag("rect", cls="dw-rest", width=12, height=12, x=1, y=1),
    }
    items = format_html_join(
        "",
        '<li><svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">{}</svg>{}</li>',
        ((signs[kind], words) for kind, words in entries),
    )
    return format_html('<ul class="legend">{}</ul>', items)

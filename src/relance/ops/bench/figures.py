"""The figures of a bench: which parts are run, in which order, and what their answers give."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any, NamedTuple

from relance.ops.bench.cases import MORNING
from relance.ops.bench.stage import Stage, run_part, smtp_sink

TOPICS = ("engine", "pass", "import", "mails", "letters", "pages", "bank")


class Sizes(NamedTuple):
    """How much is measured."""

    customers: int = 200_000
    days: int = 3
    again: int = 2
    cases: int = 20_000
    rows: int = 100_000
    mails: int = 3_000
    rounds: int = 3
    looks: int = 20
    movements: int = 50_000
    papers: int = 20_000
    letters: int = 1_000


QUICK = Sizes(customers=400, days=1, again=1, cases=400, rows=500, mails=40, rounds=2, looks=2,
              movements=600, papers=300, letters=30)  # fmt: skip


@dataclass
class Figure:
    """One line of the table. `ratio` is ours over the reference: of seconds, or of rates.

    `target`: what the ratio has to be, at most for seconds and at least for rates; `ceiling`: what
    milliseconds (the p95 of a page) may be by themselves; `floor`: what a rate has to be.
    """

    name: str
    database: str
    unit: str
    ours: float
    reference: float | None = None
    target: float | None = None
    peak_mb: float = 0
    details: dict[str, Any] = field(default_factory=dict)
    ceiling: float | None = None
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        return round(self.ours / self.reference, 3) if self.reference else None

    @property
    def reached(self) -> bool | None:
        if self.ceiling is not None:
            return self.ours <= self.ceiling
        if self.floor is not None:
            return self.ours >= self.floor
        if self.target is None or self.ratio is None:
            return None
        return self.ratio <= self.target if self.unit == "s" else self.ratio >= self.target

    def as_json(self) -> dict[str, Any]:
        """The line with its ratio."""
        return {**asdict(self), "ratio": self.ratio, "reached": self.reached}


def engine(sizes: Sizes) -> Iterator[Figure]:
    """The engine alone, in memory."""
    found = run_part("engine", {"customers": sizes.cases, "rounds": 5}, {})
    yield Figure(
        "engine", "", "decisions/s", found["per_second"], peak_mb=found["peak_mb"], details=found
    )


def daily_pass(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """First pass of all, then ordinary days each beside the reference, then the last one again."""
    invoices = f"{sizes.customers * 5:,} invoices".replace(",", " ")
    stage.run("prepare", customers=sizes.customers)
    first = stage.run("pass", on=str(MORNING - timedelta(days=1)))
    yield Figure(f"first pass, {invoices}", stage.vendor, "s", first["seconds"],
                 peak_mb=first["peak_mb"], details=first)  # fmt: skip
    days = [str(MORNING + timedelta(days=day)) for day in range(sizes.days)]
    references, passes = [], []
    for on in days:
        references.append(stage.run("reference", on=on, rounds=1))
        passes.append(stage.run("pass", on=on))
    again = [stage.run("pass", on=days[-1]) for _time in range(sizes.again)]
    reference = median(one["seconds"] for one in references)
    for name, runs in (("daily pass", passes), ("second pass, nothing new", again)):
        yield Figure(
            f"{name}, {invoices}",
            stage.vendor,
            "s",
            median(one["seconds"] for one in runs),
            reference,
            2.5,
            max(one["peak_mb"] for one in runs),
            {"runs": runs, "references": references},
        )


def imports(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """A CSV file from upload to report, against its lines parsed and inserted by one statement."""
    found = stage.run("imports", rows=sizes.rows)
    bare = stage.run("bare_import", rows=sizes.rows)
    yield Figure(
        f"import, {sizes.rows} rows of CSV",
        stage.vendor,
        "rows/s",
        found["per_second"],
        bare["per_second"],
        peak_mb=found["peak_mb"],
        details={"import": found, "bare": bare},
    )


def mails(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """The worker against a bare loop, to the same local server."""
    with smtp_sink() as way:
        there = Stage(stage.vendor, {**stage.environment, **way})
        there.run("prepare", customers=sizes.mails, late=[7, 7])
        there.run("pass", on=str(MORNING))
        found = there.run("mails", rounds=sizes.rounds)
    yield Figure(
        f"mails, {found['mails']}",
        stage.vendor,
        "mails/s",
        found["per_second"],
        found["bare_per_second"],
        0.8,
        found["peak_mb"],
        found,
    )


def letters(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """A run of letters from the queue to the PDF/A: at least 200 a second."""
    stage.run("prepare", customers=sizes.letters, late=[7, 7])
    found = stage.run("letters", rounds=sizes.rounds)
    yield Figure(
        f"letters, a run of {found['letters']}",
        stage.vendor,
        "letters/s",
        found["per_second"],
        found["bare_per_second"],
        peak_mb=found["peak_mb"],
        details=found,
        floor=200,
    )


def pages(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """Each of the busiest pages, p95 against 100 ms of server time, beside a bare query."""
    stage.run("books", customers=sizes.customers)
    found = stage.run("pages", rounds=sizes.looks)
    for page in found["pages"]:
        yield Figure(
            page["name"],
            stage.vendor,
            "ms",
            page["p95"],
            found["bare"]["p50"],
            peak_mb=found["peak_mb"],
            details=page,
            ceiling=100,
        )


def bank(stage: Stage, sizes: Sizes) -> Iterator[Figure]:
    """A new statement of 1 000 lines within 5 s, and the pages of Banque within 100 ms."""
    stage.run("bank", transactions=sizes.movements, documents=sizes.papers)
    looked = stage.run("bank_pages", rounds=sizes.looks)
    for page in looked["pages"]:
        yield Figure(
            page["name"],
            stage.vendor,
            "ms",
            page["p95"],
            peak_mb=looked["peak_mb"],
            details=page,
            ceiling=100,
        )
    lines = min(1_000, sizes.movements)
    found = stage.run("bank_statement", lines=lines)
    yield Figure(
        f"statement, {lines} lines",
        stage.vendor,
        "s",
        found["seconds"],
        peak_mb=found["peak_mb"],
        details=found,
        ceiling=5,
    )


ON_A_DATABASE: dict[str, Callable[[Stage, Sizes], Iterator[Figure]]] = {
    "pass": daily_pass,
    "import": imports,
    "mails": mails,
    "letters": letters,
    "pages": pages,
    "bank": bank,
}


def line(figure: Figure) -> str:
    """One line of the table."""
    cells = [
        f"{figure.name:<46}",
        f"{figure.database:<11}",
        f"{_number(figure.ours)} {figure.unit}",
    ]
    row = f"{cells[0]}{cells[1]}{cells[2]:>20}"
    reference = "" if figure.reference is None else _number(figure.reference)
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} ×"
    sign = "≤" if figure.unit == "s" else "≥"
    target = "" if figure.target is None else f"{sign} {figure.target:g}"
    if figure.floor is not None:
        target = f"≥ {figure.floor:g}/s"
    if figure.ceiling is not None:
        p50 = figure.details.get("p50")
        target = f"≤ {figure.ceiling:g}" if p50 is None else f"p50 {p50:.0f}"
    return f"{row}{reference:>12}{ratio:>9}{target:>8}{figure.peak_mb:>8.0f} MB"


HEADER = (
    f"{'':<46}{'database':<11}{'ours':>20}{'reference':>12}{'ratio':>9}{'target':>8}{'peak':>11}"
)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}".replace(",", " ")

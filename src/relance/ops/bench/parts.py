"""What the processes of a bench do: each runs in a process of its own and prints one JSON.

Started by `stage.run_part` as `python -m relance.ops.bench.parts NAME OPTIONS`, where OPTIONS is
a JSON object; the scratch database and folder come in the environment.
"""

import csv
import gc
import io
import json
import os
import smtplib
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from statistics import median
from typing import Any

import django

from relance.ops.bench import pages

Found = dict[str, Any]


def engine(customers: int, rounds: int) -> Found:
    """Decisions per second over cases in memory, of five invoices and a history."""
    from relance.engine.decide import decide
    from relance.ops.bench.cases import MORNING, RULES, cases

    every = list(cases(customers))
    seconds = []
    gc.disable()  # as the pass does
    for _round in range(rounds):
        started = time.perf_counter()
        for case in every:
            decide(case, MORNING, RULES)
        seconds.append(time.perf_counter() - started)
    return {"per_second": customers / median(seconds), "seconds": seconds}


def prepare(customers: int, late: list[int] | None = None) -> Found:
    """An empty database becomes a large ledger."""
    from django.core.management import call_command

    from relance.ops.bench import ledger

    started = time.perf_counter()
    call_command("migrate", verbosity=0)
    ledger.build(customers, ledger.Late(*late) if late else ledger.ORDINARY)
    return {"seconds": time.perf_counter() - started}


def one_pass(on: str) -> Found:
    """The daily pass of a local date, as `relance run` does it; without the start of Python."""
    from relance.accounts import clock
    from relance.accounts.models import Organisation
    from relance.dunning.daily import run

    organisation = Organisation.objects.get()
    day = date.fromisoformat(on)
    busy = _cpu()
    started = time.perf_counter()
    record = run.run(organisation, on=day, now=clock.local_moment(organisation, day))
    return {
        "seconds": time.perf_counter() - started,
        "cpu": _cpu() - busy,
        "customers": record.customers,
        "queued": record.queued,
        "opened": record.opened,
    }


def _cpu() -> float:
    """Seconds of processor of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def reference(on: str, rounds: int) -> Found:
    """The levels of the same rows by one SQL statement that writes a table."""
    from django.db import connection

    from relance.accounts.models import Organisation
    from relance.ops.bench.reference import TABLE, statement

    sql = statement(Organisation.objects.get().pk, date.fromisoformat(on))
    seconds = []
    busy = _cpu()
    with connection.cursor() as cursor:
        for _round in range(rounds):
            cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
            started = time.perf_counter()
            cursor.execute(sql)
            seconds.append(time.perf_counter() - started)
        cursor.execute(f"SELECT COUNT(*) FROM {TABLE}")  # noqa: S608
        [rows] = cursor.fetchone()
        cursor.execute(f"DROP TABLE {TABLE}")
    return {
        "seconds": median(seconds),
        "rounds": seconds,
        "rows": rows,
        "cpu": (_cpu() - busy) / rounds,
    }


HEADER = ["Code client", "Client", "E-mail", "Numéro de facture", "Date", "Échéance", "Total TTC",
          "Reste dû"]  # fmt: skip


def _csv(rows: int) -> list[list[str]]:
    """Invoices of a French tool: five for each customer, amounts and dates as people write them."""
    start = date(2026, 1, 5)
    lines = []
    for number in range(rows):
        issued = start + timedelta(days=number % 300)
        due = issued + timedelta(days=30)
        client, cents = number // 5, 10_000 + number % 90_000
        amount = f"{cents // 100},{cents % 100:02d}"
        lines.append(
            [
                f"C{client}",
                f"Société {client}",
                f"compta@c{client}.example",
                f"FA-{number:07d}",
                f"{issued:%d/%m/%Y}",
                f"{due:%d/%m/%Y}",
                amount,
                amount,
            ]
        )
    return lines


def imports(rows: int) -> Found:
    """A CSV of invoices from the stored upload to the report."""
    from django.core.files.base import ContentFile
    from django.core.management import call_command

    from relance.accounts import clock
    from relance.accounts.models import User
    from relance.accounts.services import found_organisation
    from relance.ledger import imports as service

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("bench@relance.example", None)
    organisation = found_organisation(name="Mesures", owner=owner)
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([HEADER, *_csv(rows)])
    content = text.getvalue().encode("cp1252")
    del text
    now = clock.now()
    started = time.perf_counter()
    imported = service.store_upload(
        organisation=organisation,
        content=ContentFile(content),
        filename="factures.csv",
        now=now,
        actor=owner,
    )
    on = clock.local_date(organisation, now)
    table = service.table_of(imported, service.settings_of(imported.options, on))
    proposed = service.propose_mapping(imported, table, on)
    service.choose_mapping(imported=imported, columns=proposed.columns, settings=proposed.settings)
    done = service.run_import(imported.pk, now)
    seconds = time.perf_counter() - started
    if done.created != rows:
        raise SystemExit(f"{done.created} created of {rows}: {done.error}")
    return {"seconds": seconds, "per_second": rows / seconds}


def bare_import(rows: int) -> Found:
    """The reference of the import: the same lines parsed and inserted by one prepared statement."""
    from django.db import connection, transaction

    content = io.StringIO()
    csv.writer(content, delimiter=";").writerows([HEADER, *_csv(rows)])
    content.seek(0)
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_rows (code text, name text, email text, number text PRIMARY KEY,"
            " issued date, due date, total bigint, balance bigint)"
        )
        lines = csv.reader(content, delimiter=";")
        next(lines)
        cursor.executemany(
            "INSERT INTO bench_rows VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (*line[:4], _iso(line[4]), _iso(line[5]), _cents(line[6]), _cents(line[7]))
                for line in lines
            ],
        )
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "per_second": rows / seconds}


def _iso(day: str) -> str:
    return f"{day[6:]}-{day[3:5]}-{day[:2]}"


def _cents(amount: str) -> int:
    return int(amount.replace(",", ""))


def mails(rounds: int) -> Found:
    """Two worker processes against a bare `smtplib` loop that sends the very same bytes.

    Everything that waits is sent in `rounds` parts; after each, the loop sends it once more. The
    processes run already when the clock starts, as workers do.
    """
    from relance.accounts import clock
    from relance.accounts.models import Organisation
    from relance.dunning.daily.hooks import hooks
    from relance.ops import worker
    from relance.ops.bench.cases import MORNING
    from relance.outbox.models import Message, Status

    moment = clock.local_moment(Organisation.objects.get(), MORNING) + timedelta(hours=2)
    waiting = list(Message.objects.order_by("not_before", "pk").values_list("pk", flat=True))
    size = len(waiting) // rounds
    product, bare, busy = [], [], 0.0
    beside = ProcessPoolExecutor(1, get_context("spawn"), initializer=django.setup)
    beside.submit(_drain_beside, moment - timedelta(days=1)).result()  # started, nothing due
    for part in range(rounds):
        ids = waiting[part * size : (part + 1) * size]
        _hold_back(Message, waiting[(part + 1) * size :], moment + timedelta(days=1))
        Message.objects.filter(pk__in=ids).update(not_before=moment)
        busy -= _cpu()
        started = time.perf_counter()
        other = beside.submit(_drain_beside, moment)
        report = worker.drain(hooks=hooks(lambda: moment), now=lambda: moment, lanes=worker.LANES)
        report += other.result()
        product.append(time.perf_counter() - started)
        busy += _cpu()
        gone = Message.objects.filter(pk__in=ids, status=Status.SENT)
        if report.sent != size or gone.count() != size:
            raise SystemExit(f"of {size} messages: {report}")
        bare.append(_bare_loop(gone, moment))
    beside.shutdown()
    return {
        "per_second": size / median(product),
        "bare_per_second": size / median(bare),
        "seconds": product,
        "bare_seconds": bare,
        "mails": size * rounds,
        "cpu": busy,
    }


def _drain_beside(moment: datetime) -> Any:
    """What a second worker process does at the same moment; its report."""
    from relance.dunning.daily.hooks import hooks
    from relance.ops import worker

    return worker.drain(hooks=hooks(lambda: moment), now=lambda: moment, lanes=worker.LANES)


def _hold_back(messages: Any, ids: list[int], until: datetime) -> None:
    for start in range(0, len(ids), 5000):
        messages.objects.filter(pk__in=ids[start : start + 5000]).update(not_before=until)


def _bare_loop(messages: Any, at: datetime) -> float:
    """Seconds to send these messages' bytes over one connection and do nothing else."""
    from django.conf import settings

    from relance.outbox.channels.email.mime import envelope
    from relance.outbox.claims import whole

    letters = [envelope(message, at=at) for message in whole(messages)]
    started = time.perf_counter()
    with smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT) as smtp:
        for letter in letters:
            smtp.sendmail(letter.sender, letter.recipients, letter.data)
    return time.perf_counter() - started


def _banking(verb: str, **options: Any) -> Found:
    """A part of the bank's bench; its models are there once Django is set up."""
    from relance.ops.bench import banking

    found: Found = getattr(banking, verb)(**options)
    return found


def print_letters(rounds: int) -> Found:
    """A print run of letters; its models are there once Django is set up."""
    from relance.ops.bench import letters

    return letters.measure(rounds)


PARTS: dict[str, Callable[..., Found]] = {
    "engine": engine,
    "prepare": prepare,
    "pass": one_pass,
    "reference": reference,
    "imports": imports,
    "bare_import": bare_import,
    "mails": mails,
    "letters": print_letters,
    "books": pages.prepare,
    "pages": pages.measure,
    "bank": partial(_banking, "prepare"),
    "bank_statement": partial(_banking, "take_in"),
    "bank_pages": partial(_banking, "measure"),
}


def main(name: str, options: str) -> None:
    """Run one part and print what it found."""
    import django

    django.setup()
    print(json.dumps(PARTS[name](**json.loads(options))))


if __name__ == "__main__":
    main(*sys.argv[1:3])

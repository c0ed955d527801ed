"""One scenario, run as a process of its own: mails leave while their workers are killed.

Prints a JSON report. Usage: kill_nine.py FOLDER MAILS KILLS SEED, with RELANCE_DATABASE_URL set.
"""

import json
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

WORKERS = 2


def main(folder: Path, mails: int, kills: int, seed: int) -> None:
    """Fill the queue, let workers send it and kill them, then count what arrived."""
    dice = random.Random(seed)
    port_file = folder / "port"
    sink = fork(lambda: serve_sink(folder, port_file))
    wait_for(port_file.exists)
    os.environ["RELANCE_SMTP_PORT"] = port_file.read_text()
    set_up_django()
    fill(mails)
    workers = [fork(send) for _worker in range(WORKERS)]
    try:
        for number in range(kills):
            wait_for(lambda n=number: arrived(folder) >= mails * (n + dice.random()) / (kills + 2))
            time.sleep(dice.random() * 0.02)
            victim = dice.randrange(WORKERS)
            os.kill(workers[victim], signal.SIGKILL)
            os.waitpid(workers[victim], 0)
            workers[victim] = fork(send)
        wait_for(nothing_waits)
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        codes = [os.waitpid(pid, 0)[1] for pid in workers]
        workers = []
        sys.stdout.write(json.dumps(report(folder, kills, codes)))
    finally:
        for pid in [sink, *workers]:
            os.kill(pid, signal.SIGKILL)


def fork(do: Callable[[], None]) -> int:
    """Run `do` in a child process; its id."""
    pid = os.fork()
    if pid == 0:
        try:
            do()
            os._exit(0)
        except BaseException:
            logging.exception("a child broke")
            os._exit(1)
    return pid


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll; the whole scenario has a time limit outside."""
    while not condition():
        time.sleep(0.004)


def serve_sink(folder: Path, port_file: Path) -> None:
    from relance.ops.smtp_sink import Sink

    sink = Sink(folder / "mails")
    sink.start()
    half = port_file.with_suffix(".half")
    half.write_text(str(sink.port))
    half.rename(port_file)
    signal.pause()


def arrived(folder: Path) -> int:
    return sum(name.endswith(".eml") for name in os.listdir(folder / "mails"))


def set_up_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "relance.conf.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from django.db import connections

    connections.close_all()


def fill(mails: int) -> None:
    from django.db import connections

    from relance.accounts.models import Organisation
    from relance.ledger.models import Customer
    from relance.outbox.services import Draft, queue

    organisation = Organisation.objects.create(name="Martin", slug="martin")
    customer = Customer.objects.create(organisation=organisation, code="1", name="Dupont")
    now = datetime.now(UTC)
    drafts = [
        Draft(
            organisation=organisation,
            customer_id=customer.pk,
            on=date(2026, 3, 2),
            not_before=now,
            sender="collect@example.org",
            recipients=[f"client{number}@example.com"],
            subject=f"Relance {number}",
            text="Bonjour,\nune facture est échue.\n" * 20,
            html="<p>Bonjour, une facture est échue.</p>" * 20,
        )
        for number in range(mails)
    ]
    assert len(queue(drafts=drafts, now=now).messages) == mails
    connections.close_all()


def send() -> None:
    """What `relance worker` does, with one journal line for each message that left."""
    from relance.accounts.models import Organisation
    from relance.history.services import Fact, append
    from relance.ops import worker
    from relance.outbox.delivery import Hooks
    from relance.outbox.models import Message

    def record(messages: Sequence[Message]) -> None:
        facts = [
            Fact("sent", message.sent_at or message.made_at, message.on, message_id=message.pk)
            for message in messages
        ]
        append(Organisation.objects.get(), facts)

    worker.run(hooks=Hooks(record=record))


def nothing_waits() -> bool:
    from relance.outbox.models import Message, Status

    time.sleep(0.1)
    waiting = Message.objects.filter(status__in=["queued", "retrying", "sending"]).exists()
    return not waiting and not Message.objects.filter(status=Status.SENT, recorded=False).exists()


def report(folder: Path, kills: int, codes: list[int]) -> dict[str, object]:
    """What arrived against what the outbox says."""
    from relance.accounts.models import Organisation
    from relance.history.models import Event
    from relance.history.services import verify
    from relance.ops.smtp_sink import stored_mails
    from relance.outbox.models import Message

    arrivals = Counter(str(m.headers()["Message-ID"]) for m in stored_mails(folder / "mails"))
    status = dict(Message.objects.values_list("message_ref", "status"))
    journal = Counter(Event.objects.values_list("message_id", flat=True))
    sent = set(Message.objects.filter(status="sent").values_list("pk", flat=True))
    return {
        "kills": kills,
        "exit_codes": codes,
        "statuses": Counter(status.values()),
        "arrived_twice": [ref for ref, count in arrivals.items() if count > 1],
        "sent_but_not_arrived": [r for r, s in status.items() if s == "sent" and r not in arrivals],
        "arrived_but_not_known": [
            r for r in arrivals if status.get(r) not in ("sent", "uncertain")
        ],
        "uncertain_and_arrived": sum(s == "uncertain" and r in arrivals for r, s in status.items()),
        "journal_matches": journal == Counter(sent),
        "journal_broken_at": verify(Organisation.objects.get()),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))

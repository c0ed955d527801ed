"""`relance demo`: build the demonstration when it is not there, then serve it until stopped.

The settings are read from the environment when Django loads, so that all of it is set here first,
the port of the post office included.
"""

import argparse
import contextlib
import errno
import os
import shlex
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from zoneinfo import ZoneInfo

from relance.ops.demo import folder
from relance.ops.demo.post import Refusing
from relance.ops.smtp_sink import Sink

PORT = 8000
FULL = 74
MONTHS = 24
OLD_DAYS = 20
INBOUND = "collect@relance.example"
REFUSED = "compta@roussel-btp.example"
ACCOUNTANT = "anne.morel@cabinet-morel.example"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--port", type=int, help=f"port des pages ; par défaut {PORT}, ou un libre")
    parser.add_argument("--data", type=Path, default=Path("var/demo"), metavar="DOSSIER")
    parser.add_argument("--no-browser", action="store_true", help="n’ouvre pas le navigateur")
    parser.add_argument("--reset", action="store_true", help="recommence depuis le début")
    parser.add_argument("--months", type=int, default=MONTHS, metavar="N", help="mois de passé")
    parser.add_argument(
        "--at",
        type=datetime.fromisoformat,
        metavar="AAAA-MM-JJTHH:MM",
        help="l’horloge s’arrête à ce moment, à Paris (pour les captures d’écran)",
    )
    parser.add_argument("--customers", type=int, default=FULL, metavar="N", help="clients")


def main(argv: Sequence[str]) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code is 0 then, 1 when it could not start."""
    parser = argparse.ArgumentParser(
        prog="relance demo", description="Une entreprise inventée, avec deux ans de relances."
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    data = options.data.resolve()
    try:
        with folder.held(data):
            return _start(options, data)
    except folder.FolderError as refusal:
        print(refusal, file=sys.stderr)
        return 1


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _start(options: argparse.Namespace, data: Path) -> int:
    fresh = options.reset or folder.built_on(data) is None
    if fresh:
        folder.begin(data)
    refusing = Refusing()
    sink = Sink(data / "mails", answer=refusing)
    sink.start()
    try:
        (data / "static").mkdir(exist_ok=True)
        surround(data, sink.port)
        if options.at:
            at = options.at.replace(tzinfo=options.at.tzinfo or ZoneInfo("Europe/Paris"))
            os.environ["RELANCE_DEMO_CLOCK"] = at.astimezone(UTC).isoformat()
        os.environ["RELANCE_URL"] = f"http://127.0.0.1:{options.port or PORT}"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
        if fresh:
            _build(options, data, refusing)
        else:
            _tell_age(data)
        refusing.addresses = {REFUSED}
        return _serve(options)
    finally:
        sink.stop()


def surround(data: Path, smtp_port: int) -> None:
    """Set the environment of this process and of the worker it starts.

    Dossiers receive mail at the address that was given, else at one of no real domain, so that
    answers by mail can be tried with the way in that `relance inbox --webhook` opens.
    """
    inbound = os.environ.get("RELANCE_INBOUND", "").strip() or INBOUND
    for name in [name for name in os.environ if name.startswith("RELANCE_")]:
        if name not in ("RELANCE_LOG_LEVEL", "RELANCE_DEBUG"):
            del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "relance.conf.settings",
        "RELANCE_DATA_DIR": str(data),
        "RELANCE_SMTP_HOST": "127.0.0.1",
        "RELANCE_SMTP_PORT": str(smtp_port),
        "RELANCE_DEMO": "1",
        "RELANCE_INBOUND": inbound,
    }


def _build(options: argparse.Namespace, data: Path, refusing: Refusing) -> None:
    from relance.ops.demo.make import make

    began = time.monotonic()
    say = Progress()
    say("Première fois : deux ans de factures et de relances se rejouent, une minute au plus.")
    on = make(months=options.months, customers=options.customers, refusing=refusing, tell=say.step)
    folder.finish(data, on)
    say(f"La démonstration est prête, en {time.monotonic() - began:.0f} s.")


class Progress:
    """What is being done, in words: one line that changes on a terminal, few lines elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.count = 0

    def __call__(self, text: str) -> None:
        print(("\r\033[K" if self.live else "") + text, flush=True)

    def step(self, text: str) -> None:
        """A step of many: each on a terminal, one of six in a file."""
        if self.live:
            print(f"\r\033[K  {text}", end="", flush=True)
        elif self.count % 6 == 0:
            print(f"  {text}", flush=True)
        self.count += 1


def _tell_age(data: Path) -> None:
    from relance.accounts import clock

    built = folder.built_on(data)
    if built and (clock.now().date() - built).days > OLD_DAYS:
        print(f"Cette démonstration date du {built:%d/%m/%Y}. Pour la rajeunir : --reset.")


def _serve(options: argparse.Namespace) -> int:
    from relance.ops.demo import words
    from relance.ops.server import serve

    def ready(url: str) -> None:
        login = words.PEOPLE[0].email
        print(
            f"Relance : {url}  identifiant {login}  mot de passe {words.PASSWORD}  (Ctrl-C arrête)"
            f"\nLe cabinet : identifiant {ACCOUNTANT}, même mot de passe"
            f"\nRecevoir un e-mail : RELANCE_URL={url.rstrip('/')}"
            f" RELANCE_DATA_DIR={shlex.quote(str(options.data.resolve()))}"
            " relance inbox --webhook donne l’adresse où l’envoyer (POST)",
            flush=True,
        )
        if not options.no_browser:
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()

    for port in [options.port] if options.port is not None else [PORT, 0]:
        try:
            serve(host="127.0.0.1", port=port, ready=ready)
            return 0
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise
    print(f"Le port {options.port} est pris : choisissez-en un autre avec --port.", file=sys.stderr)
    return 1


def _open_browser(url: str) -> None:
    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(url)

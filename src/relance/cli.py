"""The ``relance`` command.

``replay`` needs neither Django nor a database; all the rest is in ``relance.ops``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

REPLAY_USAGE = "usage : relance replay FICHIER.json [--reasons AAAA-MM-JJ]"
BAD_DOCUMENT = 2
CANNOT_WRITE = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code of the process."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["replay"]:
        return replay_command(arguments[1:])
    from relance.ops.main import main as ops_main

    return ops_main(arguments)


def replay_command(arguments: Sequence[str]) -> int:
    """``relance replay FILE.json [--reasons DATE]``: 0, or 2 with one line on standard error."""
    from relance.engine.replay import has_run, replay, replay_reasons
    from relance.engine.replay_document import DocumentError, parse_json, read_date, read_document

    if {"-h", "--help"} & set(arguments):
        print(REPLAY_USAGE)
        return 0
    try:
        name, reasons = replay_arguments(arguments)
        document = read_document(parse_json(read_text(name)))
        if reasons is None:
            lines: Iterable[str] = replay(document)
        else:
            day = read_date(reasons, "--reasons")
            if not has_run(document, day):
                raise DocumentError("--reasons", f"aucun passage n’a lieu le {reasons}")
            lines = replay_reasons(document, day)
    except DocumentError as error:
        complain(str(error))
        return BAD_DOCUMENT
    return write_lines(lines)


def replay_arguments(arguments: Sequence[str]) -> tuple[str, str | None]:
    """The file and the date asked for; raises DocumentError when the command is not well formed."""
    from relance.engine.replay_document import DocumentError

    names: list[str] = []
    reasons: str | None = None
    rest = iter(arguments)
    for argument in rest:
        if argument == "--reasons" or argument.startswith("--reasons="):
            value = argument.partition("=")[2] if "=" in argument else next(rest, None)
            if value is None or reasons is not None:
                raise DocumentError("--reasons", REPLAY_USAGE)
            reasons = value
        elif argument.startswith("-") and argument != "-":
            raise DocumentError(argument, f"option inconnue ; {REPLAY_USAGE}")
        else:
            names.append(argument)
    if len(names) != 1:
        raise DocumentError("FICHIER", REPLAY_USAGE)
    return names[0], reasons


def read_text(name: str) -> str:
    """The text of a file in UTF-8 (``-``: standard input); DocumentError when unreadable."""
    from relance.engine.replay_document import DocumentError

    try:
        if name == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        with open(name, "rb") as file:
            return file.read().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "ce n’est pas de l’UTF-8"
        raise DocumentError("$", f"fichier illisible {name!r} : {why}") from None


def complain(message: str) -> None:
    """One line on standard error, whatever the message or the terminal holds."""
    line = "relance replay : " + " ".join(message.split()) + "\n"
    sys.stderr.buffer.write(line.encode("utf-8", "backslashreplace"))
    sys.stderr.flush()


def write_lines(lines: Iterable[str]) -> int:
    """Lines in UTF-8 on standard output; a reader that stops early is no error."""
    output = sys.stdout.buffer
    try:
        for line in lines:
            output.write(line.encode("utf-8") + b"\n")
        output.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        complain(f"écriture impossible : {error.strerror}")
        return CANNOT_WRITE
    return 0

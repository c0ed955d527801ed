"""The SMTP server of a bench: prints its port, ends with its standard input."""

import sys
from pathlib import Path

from relance.ops.smtp_sink import Sink


def main(folder: str) -> None:
    """Keep the mails in `folder` until nobody holds the other end of the pipe."""
    sink = Sink(Path(folder))
    sink.start()
    print(sink.port, flush=True)
    sys.stdin.read()
    sink.stop()


if __name__ == "__main__":
    main(sys.argv[1])

"""The `relance` command, but for `replay`, which needs no Django."""

import os
import sys


def main(argv: list[str]) -> int:
    """Run one command; `relance help` lists them. Returns the exit code."""
    if argv[:1] == ["demo"]:  # it chooses the settings, so it comes before Django
        from relance.ops.demo import launch

        return launch.main(argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relance.conf.settings")
    from django.core.management import execute_from_command_line

    # what is typed as create-firm is the module create_firm
    name = [word.replace("-", "_") for word in argv[:1] if not word.startswith("-")]
    execute_from_command_line(["relance", *name, *argv[len(name) :]])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

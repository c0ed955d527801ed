"""For Django's own commands during development: `python manage.py makemigrations`."""

import sys

from relance.ops.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

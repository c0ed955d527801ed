"""What the commands that create a firm or a dossier share: whom they name, and his link."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from relance.accounts import clock
from relance.accounts.models import User
from relance.accounts.people import LIFE, PeopleError
from relance.outbox.invitations import link_for


def add_person_arguments(parser: CommandParser, *, required: bool = True) -> None:
    """--email and --name of the first administrator; there is no argument for a password."""
    parser.add_argument("--email", required=required, help="of the first administrator")
    parser.add_argument("--name", dest="full_name", default="", help="of that person")


@contextmanager
def refusals_told() -> Iterator[None]:
    """A refusal ends the command with its sentence."""
    try:
        yield
    except PeopleError as refusal:
        raise CommandError(str(refusal)) from refusal


def show_link(out: OutputWrapper, user: User) -> None:
    """Where he chooses his password; nothing to choose when he has one."""
    if user.has_usable_password():
        out.write(f"{user.email} a déjà un mot de passe et se connecte avec.")
        return
    out.write(f"{user.email} choisit son mot de passe ici (lien valable {LIFE.days} jours) :")
    out.write(link_for(user, now=clock.now()))

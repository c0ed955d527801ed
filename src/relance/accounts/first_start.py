"""An empty installation belongs to whoever reads the terminal of its server, and to nobody else.

The token is derived from the installation's secret key and opens one page, as long as no user
exists; a stranger on the network who comes first finds only a page that says where to look.
"""

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from relance.accounts.firms import found_company, found_firm
from relance.accounts.models import User
from relance.accounts.people import PeopleError


def is_empty() -> bool:
    """No user exists yet."""
    return not User.objects.exists()


def token() -> str:
    """40 hexadecimal digits, the same until the secret key changes."""
    return salted_hmac("relance.first_start", "token", algorithm="sha256").hexdigest()[:40]


def opens(given: str) -> bool:
    """This is the token, and there is still nobody."""
    return constant_time_compare(given, token()) and is_empty()


@transaction.atomic
def begin(*, is_firm: bool, name: str, email: str, full_name: str, password: str) -> User:
    """The first user, with his firm or his company. PeopleError: OVER, NO_NAME, BAD_ADDRESS."""
    if not is_empty():
        raise PeopleError(_("Cette installation a déjà commencé\u00a0: connectez-vous."), "OVER")
    if is_firm:
        user = found_firm(name=name, email=email, full_name=full_name).user
    else:
        user = found_company(name=name, email=email, full_name=full_name).user
    user.password = make_password(password)
    user.save(update_fields=["password"])
    return user

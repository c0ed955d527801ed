"""relance rekey: encrypt stored passwords and keys anew, after a change of the secret key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from relance.outbox import provider_accounts
from relance.outbox.inbound import care as inboxes
from relance.outbox.mailbox_care import rekey
from relance.outbox.secrets import SecretLostError


class Command(BaseCommand):
    help = "Encrypt the passwords and keys of accounts with the present secret key."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = rekey() + inboxes.rekey() + provider_accounts.rekey()
        except SecretLostError as lost:
            raise CommandError(
                "Un mot de passe est chiffré avec une clé absente : "
                "ajoutez-la à RELANCE_SECRET_KEY_FALLBACKS."
            ) from lost
        self.stdout.write(f"{done} mots de passe chiffrés avec la clé présente.")

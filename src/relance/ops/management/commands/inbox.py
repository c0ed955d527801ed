"""relance inbox: the installation's own inboxes, and the mails that belong to nobody."""

import os
from getpass import getpass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from relance.accounts import clock
from relance.outbox.inbound import care
from relance.outbox.models import Inbox, Mailbox, Stray

LATEST = 20


class Command(BaseCommand):
    help = (
        "List the inboxes read for all dossiers and the mails of nobody; --add connects one "
        "(password in RELANCE_INBOX_PASSWORD, or asked), --webhook opens a way in over HTTP."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--add", metavar="ADDRESS", help="connect a mailbox by IMAP")
        parser.add_argument("--host", help="its IMAP server")
        parser.add_argument("--port", type=int, default=993)
        parser.add_argument("--user", default="", help="default: the address")
        parser.add_argument("--folder", default="INBOX")
        parser.add_argument("--starttls", action="store_true", help="instead of TLS (port 143)")
        parser.add_argument("--webhook", action="store_true", help="a new secret address")
        parser.add_argument("--test", type=int, metavar="N", help="connect to inbox N again")
        parser.add_argument("--remove", type=int, metavar="N", help="read inbox N no more")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        deed = care.Deed(None, now.date(), now)
        if options["add"]:
            self._try(self._added(options, deed))
        elif options["test"]:
            self._try(self._found(options["test"]))
        elif options["remove"]:
            care.retire(self._found(options["remove"]), deed=deed)
            self.stdout.write("Retirée ; ce qui est déjà arrivé reste.")
        elif options["webhook"]:
            _inbox, token = care.open_webhook(None, deed=deed)
            address = settings.PUBLIC_URL + reverse("inbound_receive", args=[token])
            self.stdout.write(f"{address}\nElle ne sera plus jamais montrée.")
        else:
            self._list()

    def _added(self, options: dict[str, Any], deed: care.Deed) -> Inbox:
        if not options["host"]:
            raise CommandError("Indiquez le serveur IMAP avec --host.")
        password = os.environ.get("RELANCE_INBOX_PASSWORD") or getpass("Mot de passe : ")
        security = Mailbox.Security.STARTTLS if options["starttls"] else Mailbox.Security.TLS
        inbox = Inbox(
            address=options["add"],
            host=options["host"],
            port=options["port"],
            username=options["user"],
            folder=options["folder"],
            security=security,
        )
        return care.save(inbox, password=password, deed=deed)

    def _found(self, number: int) -> Inbox:
        inbox = Inbox.objects.filter(pk=number, organisation=None, retired_at=None).first()
        if inbox is None:
            raise CommandError(f"Aucune boîte n° {number} : voir `relance inbox`.")
        return inbox

    def _try(self, inbox: Inbox) -> None:
        trial = care.try_out(inbox, now=clock.now())
        if trial.code:
            raise CommandError(f"n° {inbox.pk} : {trial.code} {trial.answer}".strip(), returncode=1)
        self.stdout.write(f"n° {inbox.pk} fonctionne ; ce qui arrive désormais est lu.")

    def _list(self) -> None:
        for inbox in Inbox.objects.filter(organisation=None, retired_at=None).order_by("pk"):
            what = "webhook" if inbox.token_hash else f"{inbox.address} sur {inbox.host}"
            state = inbox.check_error or ("fonctionne" if inbox.checked_at else "à tester")
            self.stdout.write(f"n° {inbox.pk} : {what}, {state}")
        strays = Stray.objects.order_by("-pk")
        self.stdout.write(f"{strays.count()} mails de personne, gardés sans être montrés.")
        for one in strays[:LATEST]:
            day = one.received_at.strftime("%Y-%m-%d")
            self.stdout.write(f"  {day} {one.kind} {one.sender} {one.subject} ({one.raw.name})")

"""Messages as durable rows with their full rendered text, and every attempt to deliver them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer, Invoice
from relance.outbox.provider_models import PostalAccount as PostalAccount
from relance.outbox.provider_models import Pretended as Pretended
from relance.outbox.provider_models import SmsAccount as SmsAccount
from relance.outbox.provider_models import Tracking as Tracking


class Status(models.TextChoices):
    DRAFT = "draft", _("Brouillon")
    TO_APPROVE = "to_approve", _("À approuver")
    QUEUED = "queued", _("En file")
    SENDING = "sending", _("Départ en cours")
    SENT = "sent", _("Parti")
    RETRYING = "retrying", _("Nouvel essai prévu")
    FAILED = "failed", _("Échec")
    CANCELLED = "cancelled", _("Annulé")
    EXPIRED = "expired", _("Périmé")
    BOUNCED = "bounced", _("Refusé")
    UNCERTAIN = "uncertain", _("Envoi incertain")


WAITING = [Status.QUEUED, Status.RETRYING]
POSTED = ("letter", "registered_letter")
"""Channels of paper: a person prints and confirms, or a provider posts them for the worker."""
VOID = [Status.FAILED, Status.CANCELLED, Status.EXPIRED, Status.BOUNCED]


class Mailbox(models.Model):
    """An SMTP account from which messages may leave instead of the system's address (S2-22).

    With an `owner` it is his own; without, the organisation's. `secret` is encrypted.
    """

    class Security(models.TextChoices):
        STARTTLS = "starttls", _("STARTTLS (port 587)")
        TLS = "tls", _("TLS (port 465)")
        NONE = "none", _("Aucun chiffrement")

    class Auth(models.TextChoices):
        PASSWORD = "password", _("Mot de passe")
        GOOGLE = "google", _("Compte Google")
        MICROSOFT = "microsoft", _("Compte Microsoft 365")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    owner = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="mailboxes")
    name = models.CharField(_("nom affiché"), max_length=120, blank=True)
    address = models.EmailField(_("adresse e-mail"))
    host = models.CharField(_("serveur SMTP"), max_length=200)
    port = models.PositiveIntegerField(_("port"), default=587)
    security = models.CharField(max_length=10, choices=Security.choices, default=Security.STARTTLS)
    username = models.CharField(_("identifiant"), max_length=200, blank=True)
    auth = models.CharField(max_length=10, choices=Auth.choices, default=Auth.PASSWORD)
    secret = models.TextField(blank=True, help_text="The password, encrypted.")
    refresh_secret = models.TextField(blank=True, help_text="XOAUTH2, encrypted.")
    access_secret = models.TextField(blank=True, help_text="XOAUTH2, encrypted.")
    access_until = models.DateTimeField(null=True)
    renewing_until = models.DateTimeField(
        null=True, help_text="One worker asks for the next access until then."
    )
    per_minute = models.PositiveIntegerField(null=True, help_text="Messages; null: no limit.")
    per_day = models.PositiveIntegerField(null=True, help_text="Messages in 24 h; null: no limit.")
    is_default = models.BooleanField(default=False, help_text="The organisation's sender.")
    checked_at = models.DateTimeField(
        null=True, help_text="When it last worked; null until it has, with its present settings."
    )
    check_error = models.TextField(blank=True, help_text="What failed last; empty when it works.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="In a row.")
    paused_until = models.DateTimeField(null=True, help_text="Nothing is tried before.")
    retired_at = models.DateTimeField(
        null=True, help_text="Removed: kept without its password, for the messages it sent."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "address"],
                condition=Q(retired_at=None),
                name="one_mailbox_per_address",
            ),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(is_default=True),
                name="one_default_mailbox",
            ),
        ]

    def __str__(self) -> str:
        return self.address


class SenderDomain(models.Model):
    """What the DNS said last of a domain that messages leave from: SPF, DKIM, DMARC (B2)."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    found = models.JSONField(help_text="As `domains.Found`.")
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="one_look_per_domain")
        ]


class Notice(models.Model):
    """A regular e-mail to a user (S4-30): at most one of a kind a day, sent at most once.

    It is no message to a customer: nothing is recorded about it, and one that is in doubt is
    given up instead of asked about. `handed_at` is set just before the point of no return.
    """

    organisation = models.ForeignKey(
        Organisation, models.CASCADE, null=True, related_name="+", help_text="None: of a firm."
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12)
    on = models.DateField(help_text="Local date that it stands for.")
    recipient = models.EmailField()
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField()
    unsubscribe = models.CharField(max_length=500, blank=True, help_text="Of List-Unsubscribe.")
    message_ref = models.CharField(max_length=200, unique=True)
    made_at = models.DateTimeField()
    not_before = models.DateTimeField()
    useful_until = models.DateTimeField(help_text="Not sent any more afterwards.")
    handed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "user", "kind", "on"], name="one_notice_per_kind_and_day"
            ),
            models.UniqueConstraint(
                fields=["user", "kind", "on"],
                condition=Q(organisation=None),
                name="one_firm_notice_per_kind_and_day",
            ),
        ]
        indexes = [
            models.Index(
                fields=["not_before", "id"], name="notice_waiting", condition=Q(handed_at=None)
            )
        ]


class PrintRun(models.Model):
    """Letters printed together as one PDF; they have left once the print is confirmed (D-07)."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    letters = models.PositiveIntegerField(default=0)
    pages = models.PositiveIntegerField(default=0)
    file = models.FileField(upload_to="letters/", blank=True, max_length=200)
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")


class Message(models.Model):
    """One message; `subject` and the bodies are what really leaves.

    It is to one customer, or (a request for receipts) to users of the dossier.
    """

    class Purpose(models.TextChoices):
        STEP = "step", _("Étape du plan")
        AD_HOC = "ad_hoc", _("Relance ponctuelle")
        CAMPAIGN = "campaign", _("Campagne")
        RECEIPTS = "receipts", _("Demande de justificatifs")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, null=True, related_name="messages")
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.STEP)
    channel = models.CharField(max_length=20, default="email")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    automatic = models.BooleanField(default=False)
    on = models.DateField(help_text="Local date of the decision.")
    not_before = models.DateTimeField(help_text="When it may leave.")
    plan_id = models.BigIntegerField(null=True)
    action_id = models.BigIntegerField(null=True)
    reference_id = models.BigIntegerField(null=True)
    level = models.PositiveSmallIntegerField(null=True)
    level_name = models.CharField(max_length=60, blank=True)
    currency = models.CharField(max_length=3, default="EUR")
    amount_cents = models.BigIntegerField(default=0)
    sender = models.CharField(max_length=200)
    reply_to = models.CharField(max_length=200, blank=True)
    recipients = models.JSONField(default=list, help_text="Addresses, at least one.")
    copies = models.JSONField(default=list, help_text="Blind copies (S2-20).")
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField(blank=True)
    letter = models.JSONField(
        null=True, help_text="What a letter adds: address lines, place, table of invoices."
    )
    mailbox = models.ForeignKey(Mailbox, models.SET_NULL, null=True, related_name="+")
    print_run = models.ForeignKey(PrintRun, models.SET_NULL, null=True, related_name="messages")
    batch_id = models.BigIntegerField(null=True, help_text="Of the batch that it belongs to.")
    request_id = models.BigIntegerField(null=True, help_text="Of the request for receipts.")
    message_ref = models.CharField(max_length=200, unique=True, help_text="The Message-ID header.")
    in_reply_to = models.CharField(max_length=200, blank=True, help_text="A Message-ID.")
    thread = models.TextField(blank=True, help_text="The References header: oldest first.")
    provider_ref = models.CharField(
        max_length=120, blank=True, help_text="Of the postal or SMS provider that took it."
    )
    poll_after = models.DateTimeField(
        null=True, help_text="When its provider is asked again about it."
    )
    by_link = models.BooleanField(
        default=False, help_text="Too heavy: a link to the invoices instead of their PDFs."
    )
    diverted_to = models.EmailField(blank=True, help_text="Test mode: where it went instead.")
    link_closed_at = models.DateTimeField(
        null=True, help_text="Since when its page of invoices is shut by hand."
    )
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    claimed_by = models.CharField(max_length=80, blank=True)
    claimed_at = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(
        null=True, help_text="Set just before the point of no return of the present claim."
    )
    handed_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of the e-mail's bytes; set with `handed_at`."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, help_text="The other side took it.")
    ended_at = models.DateTimeField(null=True, help_text="When it reached its present end.")
    error = models.TextField(blank=True)
    reason = models.CharField(max_length=30, blank=True, help_text="Why it was cancelled.")
    recorded = models.BooleanField(default=False, help_text="Its entries are in dunning.")

    class Meta:
        indexes = [
            # One for each status: SQLite proves "status = x" against a condition, not "in (x, y)".
            models.Index(
                fields=["not_before", "id"], name="message_queued", condition=Q(status="queued")
            ),
            models.Index(
                fields=["not_before", "id"], name="message_retrying", condition=Q(status="retrying")
            ),
            models.Index(
                fields=["claimed_by"], name="message_sending", condition=Q(status="sending")
            ),
            models.Index(
                fields=["id"],
                name="message_unrecorded",
                condition=Q(status="sent", recorded=False),
            ),
            models.Index(
                fields=["poll_after"],
                name="message_to_poll",
                condition=Q(poll_after__isnull=False),
            ),
            models.Index(fields=["organisation", "status", "-id"], name="message_by_status"),
            models.Index(fields=["organisation", "customer", "-id"], name="message_by_customer"),
            models.Index(fields=["organisation", "-id"], name="message_newest"),
            models.Index(fields=["organisation", "amount_cents"], name="message_by_amount"),
            models.Index(
                fields=["mailbox", "sent_at"],
                name="message_by_mailbox",
                condition=Q(sent_at__isnull=False, mailbox__isnull=False),
            ),
            models.Index(
                fields=["organisation", "status", "id"],
                name="message_of_a_test",
                condition=Q(diverted_to__gt=""),
            ),
            models.Index(
                fields=["organisation", "status", "action_id"],
                name="message_of_action",
                condition=Q(action_id__isnull=False),
            ),
        ]

    @property
    def debtor_id(self) -> int:
        """Of the customer that it chases; a request for receipts has none (TypeError)."""
        if self.customer_id is None:
            raise TypeError("this message chases no customer")
        return self.customer_id

    @property
    def debtor(self) -> Customer:
        """The customer that it chases; a request for receipts has none (TypeError)."""
        if self.customer is None:
            raise TypeError("this message chases no customer")
        return self.customer

    @property
    def whom(self) -> str:
        """Its customer's name; of a request for receipts, the first address."""
        if self.customer is not None:
            return self.customer.name
        return str(next(iter(self.recipients), ""))

    @property
    def is_open(self) -> bool:
        """True while it may still leave."""
        return self.status in (Status.QUEUED, Status.RETRYING, Status.SENDING)


class MessageInvoice(models.Model):
    """An invoice told of in a message. The database forbids the same step twice (rule 5).

    `cycle` counts the times the carrier started again (level set by hand, repeated step);
    `live` is true until the message fails, is cancelled or bounces.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="lines")
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="message_lines")
    amount_cents = models.BigIntegerField()
    carrier = models.BooleanField(default=False, help_text="Its level rises with the message.")
    plan_id = models.BigIntegerField(null=True)
    cycle = models.PositiveIntegerField(default=0)
    level = models.PositiveSmallIntegerField(null=True)
    live = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "plan_id", "cycle", "level"],
                condition=Q(live=True, carrier=True, plan_id__isnull=False),
                name="one_live_message_per_step",
            )
        ]


class MessageFile(models.Model):
    """A file that goes with a message, kept as it left: what is not an invoice's own PDF."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="files")
    name = models.CharField(max_length=120)
    mime = models.CharField(max_length=100, default="application/octet-stream")
    file = models.FileField(upload_to="messages/", max_length=200)


class Attempt(models.Model):
    """One try to hand a message over, with what the other side answered."""

    class Outcome(models.TextChoices):
        SENT = "sent", _("Parti")
        TEMPORARY = "temporary", _("Refus temporaire")
        PERMANENT = "permanent", _("Refus définitif")
        UNCERTAIN = "uncertain", _("Sans réponse")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    worker = models.CharField(max_length=80)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    code = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    message_ref = models.CharField(
        max_length=200, blank=True, help_text="Its Message-ID; empty: the message's present one."
    )
    sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of what left then, when it left again since."
    )


class OwnFile(models.Model):
    """A file of the organisation's that may go with its messages; never changed once kept."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    mime = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    file = models.FileField(upload_to="own/", max_length=200)
    added_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField()
    made_from = models.CharField(
        max_length=64, blank=True, help_text="Digest of the facts it was made from (a RIB)."
    )
    retired_at = models.DateTimeField(null=True, help_text="Offered no more; messages keep it.")

    def __str__(self) -> str:
        return self.name


class Inbox(models.Model):
    """Where replies, bounces and documents come in: a mailbox read by IMAP, or a webhook.

    Without an organisation it is the installation's own, read for all of them.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, related_name="+")
    address = models.EmailField(blank=True)
    host = models.CharField(max_length=200, blank=True)
    port = models.PositiveIntegerField(default=993)
    security = models.CharField(
        max_length=10, choices=Mailbox.Security.choices, default=Mailbox.Security.TLS
    )
    username = models.CharField(max_length=200, blank=True)
    secret = models.TextField(blank=True, help_text="The password, encrypted.")
    folder = models.CharField(max_length=100, default="INBOX")
    uid_validity = models.BigIntegerField(null=True)
    last_uid = models.BigIntegerField(default=0)
    token_hash = models.CharField(max_length=64, blank=True, help_text="Of the webhook's secret.")
    checked_at = models.DateTimeField(null=True)
    check_error = models.TextField(blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    paused_until = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)


class Inbound(models.Model):
    """A mail that came in, kept as it came: reply, bounce, absence, complaint, documents."""

    class Kind(models.TextChoices):
        REPLY = "reply", _("Réponse")
        HARD = "hard", _("Adresse refusée")
        SOFT = "soft", _("Refus passager")
        AUTO_REPLY = "auto_reply", _("Réponse automatique")
        COMPLAINT = "complaint", _("Plainte")
        DOCUMENTS = "documents", _("Documents")
        OTHER = "other", _("Autre")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    inbox = models.ForeignKey(Inbox, models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    digest = models.CharField(max_length=64, help_text="Of what the mail is, whatever its way in.")
    raw = models.FileField(upload_to="inbound/", max_length=200)
    received_at = models.DateTimeField()
    sender = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)
    address = models.CharField(max_length=200, blank=True, help_text="The one that failed.")
    code = models.CharField(max_length=12, blank=True, help_text="Enhanced status (RFC 3463).")
    detail = models.TextField(blank=True)
    message = models.ForeignKey(Message, models.SET_NULL, null=True, related_name="answers")
    customer = models.ForeignKey(Customer, models.SET_NULL, null=True, related_name="+")
    absent_until = models.DateField(null=True)
    handled_at = models.DateTimeField(null=True, help_text="When what follows from it was done.")
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "digest"], name="one_inbound_mail")
        ]
        indexes = [
            models.Index(fields=["organisation", "customer", "-id"], name="inbound_by_customer"),
            models.Index(
                fields=["organisation", "-id"], name="inbound_unseen", condition=Q(seen_at=None)
            ),
            models.Index(fields=["organisation", "-id"], name="inbound_newest"),
            models.Index(fields=["id"], name="inbound_pending", condition=Q(handled_at=None)),
        ]


class Refusal(models.Model):
    """One address that one mail says did not get a message of ours, or complained of it."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    inbound = models.ForeignKey(Inbound, models.CASCADE, related_name="refusals")
    message = models.ForeignKey(Message, models.SET_NULL, null=True, related_name="refusals")
    address = models.CharField(max_length=254)
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Inbound.Kind.choices)
    code = models.CharField(max_length=12, blank=True)
    dead = models.BooleanField(default=False, help_text="The address was disabled for it.")
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["inbound", "address"], name="one_refusal_per_address")
        ]
        indexes = [models.Index(fields=["organisation", "address", "-at"], name="refusal_by_date")]


class Stray(models.Model):
    """A mail in the installation's own inbox that belongs to no dossier: for its operator."""

    inbox = models.ForeignKey(Inbox, models.SET_NULL, null=True, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    raw = models.FileField(upload_to="inbound/", max_length=200)
    received_at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Inbound.Kind.choices)
    sender = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=300, blank=True)

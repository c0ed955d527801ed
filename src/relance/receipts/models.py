"""Asking a client for missing receipts: when, what was asked of whom, and what he answered."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from relance.accounts.models import Firm, Organisation, User
from relance.bank.models import Document, Transaction
from relance.outbox.models import Inbound


class FirmSchedule(models.Model):
    """Automatic relances of a firm's clients: one or two days of the month (S0-10, S0-16…18)."""

    firm = models.OneToOneField(Firm, models.CASCADE, related_name="receipt_schedule")
    enabled = models.BooleanField(_("activer les relances automatiques"), default=False)
    first_day = models.PositiveSmallIntegerField(default=15, help_text="1 to 31.")
    second_day = models.PositiveSmallIntegerField(null=True, help_text="1 to 31, or none.")
    working_days = models.BooleanField(
        default=False, help_text="Shifted to the next working day (D-02)."
    )
    enabled_on = models.DateField(
        null=True, help_text="Local date: earlier days are not caught up."
    )
    second_after = models.PositiveSmallIntegerField(
        null=True, help_text="The second contact is added after so many requests without answer."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(first_day__gte=1, first_day__lte=31)
                & (Q(second_day__isnull=True) | Q(second_day__gte=1, second_day__lte=31)),
                name="schedule_days_of_a_month",
            )
        ]


class FileSchedule(models.Model):
    """What differs for one client file from its firm's schedule."""

    class Mode(models.TextChoices):
        FIRM = "firm", _("Comme le cabinet")
        OWN = "own", _("Ses propres dates")
        OFF = "off", _("Aucune relance automatique")

    organisation = models.OneToOneField(
        Organisation, models.CASCADE, related_name="receipt_schedule"
    )
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.FIRM)
    first_day = models.PositiveSmallIntegerField(null=True)
    second_day = models.PositiveSmallIntegerField(null=True)
    starting_on = models.DateField(null=True, help_text="Nothing older is asked (D-03).")
    second_contact = models.EmailField(_("second contact"), blank=True)
    served_on = models.DateField(null=True, help_text="Last date of the schedule that was served.")


class Request(models.Model):
    """One request: the set *À valider* of a period, asked on a date (S0-21 to S0-28)."""

    class Kind(models.TextChoices):
        AUTOMATIC = "automatic", _("Automatique")
        MANUAL = "manual", _("Manuelle")
        SINGLE = "single", _("Une opération")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    on = models.DateField(help_text="Local date; of the schedule when automatic.")
    first = models.DateField(null=True)
    last = models.DateField(null=True)
    note = models.TextField(blank=True)
    count = models.PositiveIntegerField(default=0)
    amount_cents = models.BigIntegerField(default=0, help_text="Sum of absolute amounts.")
    users = models.ManyToManyField(User, related_name="+", help_text="Who receives it.")
    message_id = models.BigIntegerField(null=True)
    refusal = models.CharField(max_length=30, blank=True, help_text="Why nothing was sent (S0-37).")
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "on"],
                condition=Q(kind="automatic"),
                name="one_automatic_request_per_date",
            )
        ]
        indexes = [models.Index(fields=["organisation", "-made_at"], name="request_by_date")]


class Asked(models.Model):
    """A transaction that a request asked about."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    request = models.ForeignKey(Request, models.CASCADE, related_name="asked")
    transaction = models.ForeignKey(Transaction, models.CASCADE, related_name="asked")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "transaction"], name="asked_once")
        ]


class Door(models.Model):
    """The signed way in of the links of one message: single purpose, expiring, revocable.

    Only the digest of its token is kept. One message goes to all the recipients of a request.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    request = models.OneToOneField(Request, models.CASCADE, related_name="door")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True, help_text="First use (D-25).")


class Answer(models.Model):
    """What a client said of a transaction; `handled_at`: the accountant has looked at it."""

    class Kind(models.TextChoices):
        DOCUMENT = "document", _("Justificatif déposé")
        NONE = "none", _("Je ne l’ai pas")
        NOT_MINE = "not_mine", _("Pas à moi")
        NOT_NEEDED = "not_needed", _("Sans justificatif nécessaire")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    transaction = models.ForeignKey(Transaction, models.CASCADE, related_name="answers")
    door = models.ForeignKey(Door, models.SET_NULL, null=True, related_name="answers")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    document = models.ForeignKey(Document, models.SET_NULL, null=True, related_name="+")
    note = models.TextField(blank=True)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "-at"], name="answer_by_date")]


class Incoming(models.Model):
    """A mail that came in with files: what became of each, once the worker has read them.

    `report` holds one `incoming.FileReport` for each file.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    inbound = models.OneToOneField(Inbound, models.CASCADE, related_name="incoming")
    request = models.ForeignKey(Request, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    report = models.JSONField(default=list)

    class Meta:
        indexes = [
            models.Index(
                fields=["attempts", "id"], name="incoming_waits", condition=Q(done_at=None)
            )
        ]


class Round(models.Model):
    """One request to several dossiers of a firm at once, done dossier after dossier."""

    class Status(models.TextChoices):
        RUNNING = "running", _("En cours")
        DONE = "done", _("Terminée")
        CANCELLED = "cancelled", _("Arrêtée")

    firm = models.ForeignKey(Firm, models.CASCADE, related_name="receipt_rounds")
    first = models.DateField(null=True)
    last = models.DateField(null=True)
    note = models.TextField(blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.RUNNING)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["id"], name="round_running", condition=Q(status="running"))]


class RoundLine(models.Model):
    """A dossier of a round and what became of it; `seen`: its latest request when it was chosen."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("En attente")
        SENT = "sent", _("Demandé")
        REFUSED = "refused", _("Non envoyé")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    round = models.ForeignKey(Round, models.CASCADE, related_name="lines")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    seen = models.BigIntegerField(default=0)
    detail = models.CharField(max_length=300, blank=True, help_text="Why it was refused.")
    request = models.ForeignKey(Request, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "organisation"], name="one_line_per_dossier")
        ]

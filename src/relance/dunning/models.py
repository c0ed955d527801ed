"""Plans, what was done of them, what is to be done by hand, and the runs."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Mailbox, OwnFile


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    LETTER = "letter", _("Courrier")
    REGISTERED_LETTER = "registered_letter", _("Recommandé")
    SMS = "sms", _("SMS")
    CALL = "call", _("Appel")
    TASK = "task", _("Tâche")


class Template(models.Model):
    """The words of a level for one method of sending (S1-04, D-09)."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    name = models.CharField(_("nom"), max_length=80)
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    language = models.CharField(max_length=2, default="fr")
    subject = models.CharField(_("objet"), max_length=200, blank=True)
    body = models.TextField(_("texte"))
    files = models.ManyToManyField(OwnFile, blank=True, related_name="templates")
    with_rib = models.BooleanField(_("Joindre le RIB"), default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "channel", "name"], name="one_template_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    class Scope(models.TextChoices):
        CUSTOMER = "customer", _("Par client")
        INVOICE = "invoice", _("Par facture")

    class Progression(models.TextChoices):
        SEQUENCE = "sequence", _("Niveaux à la suite")
        AGE = "age", _("Niveau selon le retard")

    class Grouping(models.TextChoices):
        NONE = "none", _("Un message par facture")
        CUSTOMER = "customer", _("Un message par client")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    name = models.CharField(_("nom"), max_length=80)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.CUSTOMER)
    progression = models.CharField(
        max_length=10, choices=Progression.choices, default=Progression.SEQUENCE
    )
    grouping = models.CharField(max_length=10, choices=Grouping.choices, default=Grouping.NONE)
    min_contact_days = models.PositiveSmallIntegerField(
        default=5, help_text="DMC, calendar days (S3-23)."
    )
    minimum_cents = models.PositiveBigIntegerField(default=0)
    paused = models.BooleanField(_("en pause"), default=False)
    is_default = models.BooleanField(default=False, help_text="Given to new customers.")
    mailbox = models.ForeignKey(
        Mailbox, models.SET_NULL, null=True, blank=True, related_name="plans"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="one_plan_per_name"),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(is_default=True),
                name="one_default_plan",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Step(models.Model):
    class Anchor(models.TextChoices):
        DUE = "due", _("échéance")
        ISSUE = "issue", _("date de facture")
        DUE_MONTH_END = "due_month_end", _("fin du mois d’échéance")
        PREVIOUS = "previous", _("relance précédente")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="steps")
    level = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    anchor = models.CharField(max_length=14, choices=Anchor.choices, default=Anchor.DUE)
    days = models.SmallIntegerField()
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    automatic = models.BooleanField(default=False)
    repeat_every = models.PositiveSmallIntegerField(null=True, blank=True)
    template = models.ForeignKey(
        Template, models.SET_NULL, null=True, blank=True, related_name="steps"
    )
    to_confirm = models.BooleanField(
        default=False, help_text="Automatic, but a person approves each message first."
    )
    functions = models.JSONField(
        default=list, help_text="Contact functions addressed first, in order; then the usual ones."
    )
    owners = models.ManyToManyField(
        User, blank=True, related_name="+", help_text="Who does it by hand; none: the usual ones."
    )
    # a plan saved by a person says no unless he ticks it: `StepValues`
    send_without_pdf = models.BooleanField(default=True, help_text="D-15.")

    class Meta:
        ordering = ["plan", "level"]
        constraints = [models.UniqueConstraint(fields=["plan", "level"], name="one_step_per_level")]

    def __str__(self) -> str:
        return f"{self.name} ({self.level})"


class PlanRule(models.Model):
    """Which plan a customer gets by what he is; the first rule that fits wins.

    `conditions` is a list of {"field", "op", "value"} that must all hold.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="rules")
    conditions = models.JSONField(default=list)

    class Meta:
        ordering = ["organisation", "position"]


class Assignment(models.Model):
    """Which plan a customer follows (S2-10); no row means none."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.OneToOneField(Customer, models.CASCADE, related_name="assignment")
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="assignments")
    given_by = models.CharField(max_length=10, default="hand", help_text="hand, rule, import.")
    rule = models.ForeignKey(PlanRule, models.SET_NULL, null=True, related_name="+")


class Entry(models.Model):
    """Something done: the engine folds levels and contacts from these, never from a counter."""

    class Kind(models.TextChoices):
        SENT = "sent", _("Relance faite")
        MARKED = "marked", _("Marquée comme déjà relancée")
        SKIPPED = "skipped", _("Ignorée")
        LEVEL_SET = "level_set", _("Niveau choisi à la main")
        AD_HOC = "ad_hoc", _("Relance ponctuelle")
        CAMPAIGN = "campaign", _("Campagne")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="entries")
    on = models.DateField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    plan = models.ForeignKey(Plan, models.SET_NULL, null=True, related_name="+")
    reference = models.ForeignKey(Invoice, models.CASCADE, null=True, related_name="entries")
    level = models.PositiveSmallIntegerField(default=0)
    currency = models.CharField(max_length=3, default="EUR")
    channel = models.CharField(max_length=20, choices=Channel.choices, blank=True)
    action_id = models.BigIntegerField(null=True, help_text="Done from the to-do list.")
    by_run = models.BooleanField(default=False, help_text="Left by the day's run, not by a person.")
    is_contact = models.BooleanField(default=True, help_text="A task, a skip or a level is none.")
    message_id = models.BigIntegerField(null=True)
    void = models.BooleanField(default=False, help_text="Bounced afterwards: no contact, no level.")

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "customer", "on"], name="entry_by_customer")
        ]


class Action(models.Model):
    """A step that waits for a person (S3-08): open, then done, skipped or withdrawn."""

    class Status(models.TextChoices):
        OPEN = "open", _("À faire")
        DONE = "done", _("Faite")
        SKIPPED = "skipped", _("Ignorée")
        WITHDRAWN = "withdrawn", _("Retirée")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="actions")
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="+")
    reference = models.ForeignKey(Invoice, models.CASCADE, related_name="+")
    currency = models.CharField(max_length=3)
    level = models.PositiveSmallIntegerField()
    level_name = models.CharField(max_length=60, blank=True)
    channel = models.CharField(max_length=20, choices=Channel.choices)
    automatic = models.BooleanField(default=False, help_text="It would have left by itself.")
    reason = models.CharField(max_length=30, blank=True, help_text="NO_RECIPIENT or NO_TEMPLATE.")
    due_on = models.DateField()
    amount_cents = models.BigIntegerField()
    invoice_count = models.PositiveIntegerField()
    owners = models.ManyToManyField(User, blank=True, related_name="actions")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    closed_on = models.DateField(null=True)
    closed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    withdrawn_reason = models.CharField(max_length=30, blank=True)
    note = models.TextField(blank=True)
    result = models.CharField(max_length=20, blank=True, help_text="Of a call or a task.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "reference", "level", "currency"],
                condition=Q(status="open"),
                name="one_open_action_per_step",
            )
        ]
        indexes = [
            models.Index(
                fields=["organisation", "due_on"],
                name="open_action",
                condition=Q(status="open"),
            ),
            models.Index(fields=["organisation", "-due_on", "-id"], name="action_by_due"),
        ]


class Run(models.Model):
    """One pass over an organisation for one local date; repeating it changes nothing."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    on = models.DateField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    held = models.PositiveIntegerField(default=0, help_text="Wanted, kept back by the switch.")
    customers = models.PositiveIntegerField(default=0)
    queued = models.PositiveIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    withdrawn = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "on"], name="one_run_per_day")
        ]


class Outlook(models.Model):
    """The last decision about a customer, copied for lists; the engine stays the truth.

    `state` is acted, pending, waiting or nothing; `code` its first reason; `next_*` the next step.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.OneToOneField(Customer, models.CASCADE, related_name="outlook")
    on = models.DateField()
    state = models.CharField(max_length=8)
    code = models.CharField(max_length=30, blank=True)
    next_on = models.DateField(null=True)
    next_level = models.PositiveSmallIntegerField(null=True)
    next_automatic = models.BooleanField(default=False)
    owed_cents = models.BigIntegerField(default=0, help_text="Of every currency, as one sum.")
    overdue_cents = models.BigIntegerField(default=0, help_text="The part due before `on`.")

    class Meta:
        indexes = [
            models.Index(
                fields=["organisation", "next_on"],
                name="outlook_next",
                condition=Q(next_on__isnull=False),
            ),
            models.Index(
                fields=["organisation", "owed_cents", "customer"],
                name="outlook_owed",
                condition=Q(owed_cents__gt=0),
            ),
            models.Index(
                fields=["organisation", "overdue_cents", "customer"],
                name="outlook_overdue",
                condition=Q(overdue_cents__gt=0),
            ),
        ]


class InvoiceChase(models.Model):
    """What was last done about an invoice, copied for lists: its level and the date (S2-18)."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    invoice = models.OneToOneField(Invoice, models.CASCADE, related_name="chase")
    level = models.PositiveSmallIntegerField(default=0)
    level_name = models.CharField(max_length=60, blank=True)
    last_on = models.DateField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "last_on", "invoice"], name="chase_by_date"),
            models.Index(
                fields=["organisation", "level", "last_on", "invoice"], name="chase_by_level"
            ),
        ]


class ToChase(models.Model):
    """A carrier whose next level has triggered, copied for À relancer; the engine stays the truth.

    `invoice` is its reference; `possible_on` the day on which the step can leave or be done (the
    delay between contacts, a day off); `code` why it does not leave by itself. `amount_cents` is
    what a message would ask for, about `invoice_count` invoices.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    invoice = models.OneToOneField(Invoice, models.CASCADE, related_name="to_chase")
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="+")
    level = models.PositiveSmallIntegerField()
    trigger = models.DateField()
    possible_on = models.DateField()
    automatic = models.BooleanField(default=False)
    code = models.CharField(max_length=30, blank=True)
    currency = models.CharField(max_length=3, default="EUR")
    amount_cents = models.BigIntegerField()
    invoice_count = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(
                fields=["organisation", "plan", "level", "trigger", "id"], name="to_chase_by_level"
            )
        ]


class Batch(models.Model):
    """Many customers handled in one deed: relances by lot, a campaign, a change to be undone.

    Written first, then worked through by chunks; the worker takes up again what was left.
    """

    class Kind(models.TextChoices):
        RELANCE = "relance", _("Envoi par lot")
        CAMPAIGN = "campaign", _("Campagne")
        CHANGE = "change", _("Modification en masse")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Brouillon")
        SCHEDULED = "scheduled", _("Programmé")
        RUNNING = "running", _("En cours")
        DONE = "done", _("Terminé")
        CANCELLED = "cancelled", _("Annulé")
        UNDONE = "undone", _("Défait")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    title = models.CharField(max_length=120)
    channel = models.CharField(max_length=20, choices=Channel.choices, blank=True)
    template = models.ForeignKey(Template, models.SET_NULL, null=True, related_name="+")
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(blank=True)
    options = models.JSONField(default=dict)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True, help_text="When a scheduled one begins.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True, help_text="Last sign of life while running.")
    total = models.PositiveIntegerField(default=0, help_text="Lines.")
    done = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "kind", "-id"], name="batch_by_kind"),
            models.Index(
                fields=["id"],
                name="batch_at_work",
                condition=Q(status__in=["scheduled", "running"]),
            ),
        ]


class BatchLine(models.Model):
    """One message, or one change, of a batch: `invoices` are ids, `before` what undo puts back."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("En attente")
        DONE = "done", _("Fait")
        REFUSED = "refused", _("Refusé")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="lines")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    invoices = models.JSONField(default=list)
    level = models.PositiveSmallIntegerField(null=True)
    level_name = models.CharField(max_length=60, blank=True)
    amount_cents = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="EUR")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    reason = models.CharField(max_length=30, blank=True)
    detail = models.TextField(blank=True)
    message_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["batch", "status", "id"], name="batch_line_by_status")]


class Mention(models.Model):
    """A colleague named in a note of the timeline, until he has read it."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    invoice = models.ForeignKey(Invoice, models.CASCADE, null=True, related_name="+")
    event_seq = models.PositiveBigIntegerField()
    text = models.TextField()
    author = models.CharField(max_length=120)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["organisation", "user"],
                name="mention_unread",
                condition=Q(read_at__isnull=True),
            )
        ]


class Recovery(models.Model):
    """A dossier de recouvrement: what is known of a customer, gathered as one file (A9).

    With `leaves` he left the chase for it; until `taken_back_at` he is excluded for this reason.
    """

    class Status(models.TextChoices):
        ASKED = "asked", _("En attente")
        RUNNING = "running", _("En cours")
        DONE = "done", _("Prêt")
        FAILED = "failed", _("Échec")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="recoveries")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ASKED)
    on = models.DateField(help_text="Local date on which it was asked for: it tells that day.")
    with_notes = models.BooleanField(default=False, help_text="Internal notes go with it.")
    leaves = models.BooleanField(default=False)
    was_excluded = models.BooleanField(default=False, help_text="Before: taking back changes none.")
    handed_to = models.CharField(max_length=120, blank=True)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    builder = models.CharField(max_length=40, blank=True, help_text="Of the one that builds it.")
    beat_at = models.DateTimeField(null=True, help_text="Its last sign of life.")
    done = models.PositiveIntegerField(default=0, help_text="Invoices and messages put in.")
    total = models.PositiveIntegerField(default=0)
    file = models.FileField(upload_to="recovery/", blank=True, max_length=200)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True)
    gaps = models.JSONField(default=list, help_text="Sentences: what could not be put in, and why.")
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)
    taken_back_at = models.DateTimeField(null=True)
    taken_back_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "customer", "-id"], name="recovery_by_customer"),
            models.Index(
                fields=["id"],
                name="recovery_at_work",
                condition=Q(status__in=["asked", "running"]),
            ),
        ]

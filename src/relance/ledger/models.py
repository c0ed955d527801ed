"""What customers owe: customers, contacts, sites, invoices, credits, payments and what holds them.

Amounts are integer cents. `Invoice.balance_cents` and `Credit.left_cents` are copies kept by
`ledger.services` in the same transaction as the payment that changes them; doctor compares.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from relance.accounts.models import Organisation, User
from relance.ledger.expressions import FoldedField, Minus, number_tail, upper_number


class PaymentMode(models.TextChoices):
    TRANSFER = "transfer", _("Virement")
    DIRECT_DEBIT = "direct_debit", _("Prélèvement")
    CHEQUE = "cheque", _("Chèque")
    CARD = "card", _("Carte")
    CASH = "cash", _("Espèces")
    BILL = "bill", _("Traite")
    OTHER = "other", _("Autre")


class Regime(models.TextChoices):
    """Law-and-money A1: unknown charges nothing but the principal (D-26)."""

    UNKNOWN = "unknown", _("Non précisé")
    BUSINESS = "business", _("Professionnel")
    CONSUMER = "consumer", _("Particulier")
    PUBLIC = "public", _("Acheteur public")


class Customer(models.Model):
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    code = models.CharField(_("code client"), max_length=60)
    name = models.CharField(_("nom"), max_length=200)
    search = models.CharField(max_length=300, help_text="Name and code, folded for searching.")
    email = models.EmailField(_("adresse e-mail"), blank=True)
    phone = models.CharField(_("téléphone"), max_length=40, blank=True)
    address = models.TextField(_("adresse"), blank=True)
    postcode = models.CharField(_("code postal"), max_length=12, blank=True)
    city = models.CharField(_("ville"), max_length=80, blank=True)
    country = models.CharField(_("pays"), max_length=2, default="FR")
    siren = models.CharField(max_length=14, blank=True)
    regime = models.CharField(max_length=10, choices=Regime.choices, default=Regime.UNKNOWN)
    language = models.CharField(max_length=2, default="fr")
    excluded = models.BooleanField(_("exclu des relances"), default=False)
    hold_until = models.DateField(_("en attente jusqu’au"), null=True, blank=True)
    judgment_on = models.DateField(_("jugement d’ouverture"), null=True, blank=True)
    to_review = models.BooleanField(
        default=False, help_text="From a FEC: looked at before chasing."
    )
    email_invalid_since = models.DateField(null=True, blank=True)
    email_invalid_reason = models.CharField(max_length=300, blank=True)
    phone_invalid_since = models.DateField(null=True, blank=True)
    address_invalid_since = models.DateField(
        null=True, blank=True, help_text="Its letters come back."
    )
    manager = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "code"], name="one_customer_per_code")
        ]
        indexes = [
            models.Index(fields=["organisation", "search"], name="customer_search"),
            models.Index(Upper("email"), "organisation", name="customer_email"),
        ]

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """A person at the customer's; `role` is a function such as comptable or acheteur."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="contacts")
    name = models.CharField(_("nom"), max_length=120)
    role = models.CharField(_("fonction"), max_length=60, blank=True)
    email = models.EmailField(_("adresse e-mail"), blank=True)
    phone = models.CharField(_("téléphone"), max_length=40, blank=True)
    is_default = models.BooleanField(_("destinataire par défaut"), default=False)
    invalid_since = models.DateField(null=True, blank=True)
    invalid_reason = models.CharField(max_length=300, blank=True)
    absent_until = models.DateField(null=True, blank=True)
    search = FoldedField(max_length=500, sources=["name", "email", "phone"])

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "search"], name="contact_search"),
            models.Index(Upper("email"), "organisation", name="contact_email"),
        ]


class Site(models.Model):
    """Chantier: relances of its invoices go to its favourite contacts (S4-27).

    `contacts` are those attached to it, starred or not; a favourite is always one of them.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="sites")
    name = models.CharField(_("chantier"), max_length=120)
    contacts = models.ManyToManyField(Contact, blank=True, related_name="sites")
    favourites = models.ManyToManyField(Contact, blank=True, related_name="favourite_of")
    search = FoldedField(max_length=200, sources=["name"])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "name"], name="one_site_per_name")
        ]
        indexes = [models.Index(fields=["organisation", "search"], name="site_search")]


class Invoice(models.Model):
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="invoices")
    site = models.ForeignKey(Site, models.SET_NULL, null=True, blank=True, related_name="invoices")
    number = models.CharField(_("numéro"), max_length=80)
    issued = models.DateField(_("date"))
    due = models.DateField(_("échéance"))
    due_estimated = models.BooleanField(default=False)
    total_cents = models.BigIntegerField()
    balance_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="EUR")
    mode = models.CharField(
        max_length=20, choices=PaymentMode.choices, default=PaymentMode.TRANSFER
    )
    plan_on = models.BooleanField(_("Plan de relance activée"), default=True)
    disputed = models.BooleanField(default=False)
    promise_until = models.DateField(null=True, blank=True)
    hold_until = models.DateField(null=True, blank=True)
    noticed_on = models.DateField(
        null=True, help_text="A mise en demeure about it was received, as a person knows (A8)."
    )
    document = models.FileField(upload_to="invoices/", blank=True, max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "number"], name="one_invoice_per_number"
            )
        ]
        indexes = [
            models.Index(
                fields=["organisation", "due", "id"],
                name="open_invoice_by_due",
                condition=Q(balance_cents__gt=0),
            ),
            # Holds every column that totals and ageing read, so that they touch no row. One index
            # for both uses: SQLite without statistics would take a second one for the wrong one.
            models.Index(
                fields=["organisation", "customer", "due", "issued", "currency", "balance_cents"],
                name="open_invoice_by_customer",
                condition=Q(balance_cents__gt=0),
            ),
            # An expression, so that no other question about balances takes this one by mistake.
            models.Index(
                "organisation",
                Minus("balance_cents"),
                "id",
                name="open_invoice_by_balance",
                condition=Q(balance_cents__gt=0),
            ),
            models.Index(
                fields=["organisation", "due", "id"],
                name="settled_invoice_by_due",
                condition=Q(balance_cents__lte=0),
            ),
            models.Index(
                fields=["organisation", "due", "id"],
                name="disputed_invoice_by_due",
                condition=Q(balance_cents__gt=0, disputed=True),
            ),
            models.Index(
                fields=["organisation", "due", "id"],
                name="promised_invoice_by_due",
                condition=Q(balance_cents__gt=0, promise_until__isnull=False),
            ),
            models.Index("organisation", upper_number(), name="invoice_by_number"),
            models.Index("organisation", number_tail(), name="invoice_by_tail"),
            models.Index(fields=["organisation", "total_cents"], name="invoice_by_total"),
        ]

    def __str__(self) -> str:
        return self.number


class Credit(models.Model):
    """An avoir or an overpayment, until it is applied to invoices (S3-06)."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="credits")
    number = models.CharField(max_length=80)
    on = models.DateField()
    total_cents = models.BigIntegerField()
    used_cents = models.BigIntegerField(
        default=0, help_text="Applied in the accounting tool, not here."
    )
    left_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="EUR")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "number"], name="one_credit_per_number")
        ]


class Payment(models.Model):
    """A règlement of one invoice on a date: money in, or (with `credit`) an applied credit.

    A negative amount is a payment cancelled on its date.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="payments")
    credit = models.ForeignKey(Credit, models.CASCADE, null=True, related_name="applications")
    on = models.DateField()
    amount_cents = models.BigIntegerField()
    reference = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "on"], name="payment_by_date")]


class Dispute(models.Model):
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="disputes")
    opened_on = models.DateField()
    resolved_on = models.DateField(null=True)
    category = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    opened_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["organisation", "opened_on"], name="dispute_by_date")]


class Hold(models.Model):
    """A promise to pay, or a hold, of an invoice or of a whole customer; `until` is inclusive.

    `ended_on` is the date from which it no longer held: released, or replaced by another.
    """

    class Kind(models.TextChoices):
        PROMISE = "promise", _("Promesse de règlement")
        HOLD = "hold", _("Mise en attente")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="holds")
    invoice = models.ForeignKey(Invoice, models.CASCADE, null=True, related_name="holds")
    made_on = models.DateField()
    until = models.DateField()
    ended_on = models.DateField(null=True)
    amount_cents = models.BigIntegerField(null=True)
    note = models.TextField(blank=True)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="hold") | Q(invoice__isnull=False),
                name="a_promise_is_about_an_invoice",
            ),
        ]
        indexes = [models.Index(fields=["organisation", "made_on"], name="hold_by_date")]


class ImportStatus(models.TextChoices):
    UPLOADED = "uploaded", _("À vérifier")
    RUNNING = "running", _("En cours")
    DONE = "done", _("Terminé")
    FAILED = "failed", _("Refusé")
    UNDONE = "undone", _("Annulé")


class Import(models.Model):
    class Kind(models.TextChoices):
        INVOICES = "invoices", _("Factures et règlements")
        CUSTOMERS = "customers", _("Clients")
        FEC = "fec", _("Écritures comptables (FEC)")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    status = models.CharField(
        max_length=10, choices=ImportStatus.choices, default=ImportStatus.UPLOADED
    )
    filename = models.CharField(max_length=200)
    file = models.FileField(upload_to="imports/", max_length=200)
    sha256 = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    done_lines = models.PositiveIntegerField(default=0)
    total_lines = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    since_seq = models.PositiveBigIntegerField(
        default=0, help_text="End of the journal when it began: what came later is not its own."
    )
    finished_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True, help_text="Last sign of life while running.")


class ImportLine(models.Model):
    """A line of the report that a person must read: refused, or accepted with a remark."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    imported = models.ForeignKey(Import, models.CASCADE, related_name="lines")
    line = models.PositiveIntegerField()
    refused = models.BooleanField()
    code = models.CharField(max_length=40)
    message = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["imported", "refused", "line"], name="line_of_report")]


class ImportChange(models.Model):
    """What an import did to one row, so that it can be undone: `before` is null when created."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    imported = models.ForeignKey(Import, models.CASCADE, related_name="changes")
    table = models.CharField(max_length=20)
    row_id = models.BigIntegerField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["imported", "table", "id"], name="change_by_table")]


class MappingProfile(models.Model):
    """The columns chosen for a header seen before, proposed again the next time."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12)
    signature = models.CharField(max_length=64)
    mapping = models.JSONField()
    options = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "kind", "signature"], name="one_profile_per_header"
            )
        ]

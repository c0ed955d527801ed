"""The bank feed of a dossier, which serves both chases: accounts, transactions, documents, links.

Amounts are integer cents, positive when money came in. `Transaction.linked_cents`,
`covered_cents`, `documents` and `missing` are copies kept by `bank.services` in the transaction
that changes a link; doctor compares them with what `engine.receipts.missing` says.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from relance.accounts.models import Organisation, User
from relance.ledger.models import Credit, Customer, Invoice, Payment


class BankAccount(models.Model):
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    number = models.CharField(_("IBAN ou numéro"), max_length=40)
    name = models.CharField(_("nom"), max_length=80, blank=True)
    currency = models.CharField(max_length=3, default="EUR")
    closed = models.BooleanField(_("clos"), default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "number"], name="one_account_per_number"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.number


class BankImport(models.Model):
    """A file of the bank, kept as it came; the same file twice adds nothing twice.

    Until `done` it has only been looked at. `report` holds what its import did.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    filename = models.CharField(max_length=200)
    file = models.FileField(upload_to="bank/", max_length=200)
    sha256 = models.CharField(max_length=64)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()
    added = models.PositiveIntegerField(default=0, help_text="Transactions that were new.")
    repeated = models.PositiveIntegerField(default=0, help_text="Already known from before.")
    remarks = models.JSONField(default=list, help_text="Codes and facts, one per remark.")
    done = models.BooleanField(default=True)
    report = models.JSONField(default=dict, help_text="Counts of what the import did.")


class BankMapping(models.Model):
    """What the columns of a table of the bank are, remembered by its headers."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    signature = models.CharField(max_length=32)
    columns = models.JSONField(help_text="Field code to index of the column.")
    order = models.CharField(max_length=3, blank=True, help_text="Of the dates: dmy or mdy.")
    account = models.CharField(max_length=40, help_text="Number of the account it tells of.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "signature"], name="one_bank_mapping_per_header"
            )
        ]


class BankStatement(models.Model):
    """A period of one account as a file told it; two of them show a gap when balances differ."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    account = models.ForeignKey(BankAccount, models.CASCADE, related_name="statements")
    imported = models.ForeignKey(BankImport, models.CASCADE, related_name="statements")
    number = models.CharField(max_length=60, blank=True)
    first_on = models.DateField(null=True)
    last_on = models.DateField(null=True)
    opening_cents = models.BigIntegerField(null=True)
    closing_cents = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account", "last_on"], name="statement_by_date")]


class BankRule(models.Model):
    """Transactions that want no receipt: all the conditions given hold (S0-09)."""

    class Effect(models.TextChoices):
        IGNORED = "ignored", _("Ignorer")
        EXEMPT = "exempt", _("Dispenser de justificatif")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    effect = models.CharField(max_length=8, choices=Effect.choices, default=Effect.EXEMPT)
    words = models.CharField(_("mots du libellé"), max_length=120, blank=True)
    account = models.ForeignKey(BankAccount, models.CASCADE, null=True, related_name="+")
    least_cents = models.BigIntegerField(null=True, help_text="Absolute amount, included.")
    most_cents = models.BigIntegerField(null=True, help_text="Absolute amount, included.")

    class Meta:
        ordering = ["organisation", "position"]


class Missing(models.TextChoices):
    """Why a transaction is *À valider* (S0-05 to S0-08); the engine's words."""

    NOT_ASSOCIATED = "not_associated", _("Sans association")
    WITHOUT_DOCUMENT = "without_document", _("Justificatif manquant")
    PARTIAL = "partial", _("Justifiée en partie")
    POTENTIAL = "potential", _("Justificatif trouvé, à confirmer")


class Transaction(models.Model):
    """One movement of an account. `key` is the same in every file that tells of it."""

    class Waiver(models.TextChoices):
        IGNORED = "ignored", _("Ignorée")
        EXEMPT = "exempt", _("Sans justificatif nécessaire")
        LOST = "lost", _("Justificatif perdu")
        FORCED = "forced", _("Validée sans justificatif")
        REVERSED = "reversed", _("Annulée par son rejet")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    account = models.ForeignKey(BankAccount, models.CASCADE, related_name="transactions")
    imported = models.ForeignKey(BankImport, models.SET_NULL, null=True, related_name="+")
    key = models.CharField(max_length=32)
    booked = models.DateField()
    valued = models.DateField(null=True)
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="EUR")
    label = models.CharField(max_length=500)
    search = models.CharField(max_length=400, help_text="Label and name, folded for searching.")
    reference = models.CharField(max_length=140, blank=True)
    bank_ref = models.CharField(max_length=140, blank=True)
    name = models.CharField(max_length=140, blank=True)
    iban = models.CharField(max_length=40, blank=True)
    reversal = models.BooleanField(default=False)
    waiver = models.CharField(max_length=8, choices=Waiver.choices, blank=True)
    rule = models.ForeignKey(BankRule, models.SET_NULL, null=True, related_name="+")
    waiver_note = models.CharField(max_length=300, blank=True)
    linked_cents = models.BigIntegerField(default=0, help_text="Of its amount, associated.")
    covered_cents = models.BigIntegerField(default=0, help_text="Of its amount, documented.")
    documents = models.PositiveSmallIntegerField(default=0)
    missing = models.CharField(max_length=16, choices=Missing.choices, blank=True)
    asked_on = models.DateField(null=True, help_text="Of the last request for its receipt.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="one_transaction_per_key")
        ]
        indexes = [
            models.Index(fields=["organisation", "-booked", "-id"], name="transaction_by_date"),
            models.Index(
                fields=["organisation", "-booked", "-id"],
                name="transaction_missing",
                condition=~Q(missing=""),
            ),
            models.Index(
                fields=["organisation", "amount_cents", "booked"], name="transaction_by_amount"
            ),
        ]

    @property
    def lacking_cents(self) -> int:
        """Of its amount, what no document covers yet, positive: more than the amount when a
        credit note is taken off it before its invoice is there."""
        covered = self.covered_cents if self.amount_cents > 0 else -self.covered_cents
        return abs(self.amount_cents) - covered


class Pending(models.Model):
    """A movement that the bank announces and has not booked: shown as to come, and no more.

    It settles nothing and is asked of nobody; the statement that covers its day replaces it.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    account = models.ForeignKey(BankAccount, models.CASCADE, related_name="pending")
    imported = models.ForeignKey(BankImport, models.CASCADE, related_name="+")
    on = models.DateField(help_text="Foreseen by the bank.")
    amount_cents = models.BigIntegerField()
    currency = models.CharField(max_length=3, default="EUR")
    label = models.CharField(max_length=500)
    name = models.CharField(max_length=140, blank=True)
    bank_ref = models.CharField(max_length=140, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "on"], name="pending_by_date")]


class Document(models.Model):
    """A receipt or an invoice received, kept unchanged with its hash; what it says is editable."""

    class Source(models.TextChoices):
        UPLOAD = "upload", _("Déposé")
        PHOTO = "photo", _("Photographié")
        EMAIL = "email", _("Reçu par e-mail")
        ANSWER = "answer", _("Réponse à une demande")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    file = models.FileField(upload_to="documents/", max_length=200)
    filename = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    mime = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.UPLOAD)
    sent_by = models.CharField(max_length=200, blank=True, help_text="Name or address.")
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    received_at = models.DateTimeField()
    read_from = models.CharField(max_length=10, blank=True, help_text="facturx, text, ocr, hand.")
    on = models.DateField(_("date"), null=True)
    amount_cents = models.BigIntegerField(_("montant TTC"), null=True)
    vat_cents = models.BigIntegerField(_("TVA"), null=True)
    currency = models.CharField(max_length=3, default="EUR")
    supplier = models.CharField(_("fournisseur"), max_length=140, blank=True)
    number = models.CharField(_("numéro"), max_length=80, blank=True)
    left_cents = models.BigIntegerField(
        null=True, help_text="Of its amount, not associated yet; a copy."
    )
    refused_because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "sha256"], name="one_document_per_content"
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "-received_at"], name="document_by_date"),
            models.Index(fields=["organisation", "amount_cents"], name="document_by_amount"),
            models.Index(fields=["organisation", "left_cents"], name="document_by_left"),
        ]


class Link(models.Model):
    """An association of a transaction: with a document, with an invoice that it pays, or with
    `label` alone, a kind of expense, which leaves its receipt missing (S0-06).

    Not `confirmed`, it is a potential one that a person has to accept (S0-08); `reasons` are the
    codes on which the proposal rests.
    """

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    transaction = models.ForeignKey(Transaction, models.CASCADE, related_name="links")
    document = models.ForeignKey(Document, models.CASCADE, null=True, related_name="links")
    invoice = models.ForeignKey(Invoice, models.CASCADE, null=True, related_name="bank_links")
    payment = models.ForeignKey(Payment, models.SET_NULL, null=True, related_name="+")
    credit = models.ForeignKey(
        Credit, models.CASCADE, null=True, related_name="+", help_text="Of what was paid over."
    )
    label = models.CharField(_("nature"), max_length=80, blank=True)
    amount_cents = models.BigIntegerField(
        help_text="Of the transaction, in its sense; in the other for a credit note taken off."
    )
    paper_cents = models.BigIntegerField(
        null=True, help_text="Of the document, absolute, when its currency is another."
    )
    confirmed = models.BooleanField(default=True)
    automatic = models.BooleanField(default=False)
    reasons = models.JSONField(default=list)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "document"],
                condition=Q(document__isnull=False),
                name="one_link_per_document",
            ),
            models.UniqueConstraint(
                fields=["transaction", "invoice"],
                condition=Q(invoice__isnull=False),
                name="one_link_per_invoice",
            ),
            models.CheckConstraint(
                condition=Q(document__isnull=True) | Q(invoice__isnull=True),
                name="a_link_has_one_other_end",
            ),
        ]


class Denial(models.Model):
    """A person said that this document is not this transaction's: it is not proposed again."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    transaction = models.ForeignKey(Transaction, models.CASCADE, related_name="denials")
    document = models.ForeignKey(Document, models.CASCADE, related_name="denials")
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "document"], name="denied_once")
        ]


class Payer(models.Model):
    """An account known to be a customer's: learnt when a person confirms a match."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="payers")
    iban = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "iban"], name="one_payer_per_iban")
        ]

"""Who may see what: users, firms (cabinets), organisations (dossiers), memberships and roles."""

from datetime import time
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Creates users whose name to log in with is their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A user with a hashed password; the address is kept in lower case."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An operator of the installation; rights over data still come from memberships."""
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Addresses are compared in lower case, as `create_user` stores them."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(_("adresse e-mail"), unique=True)
    full_name = models.CharField(_("nom"), max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)
    language = models.CharField(max_length=2, default="fr")
    receives_copy = models.BooleanField(
        _("Recevoir une copie"), default=False, help_text="Default of the box in windows (D-16)."
    )

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.full_name or self.email

    @property
    def initials(self) -> str:
        """At most two capitals for the round badge."""
        words = (self.full_name or self.email).split()
        return "".join(word[0] for word in words[:2]).upper()


class Firm(models.Model):
    """A cabinet: it sees all its dossiers (D-24)."""

    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class FirmMembership(models.Model):
    firm = models.ForeignKey(Firm, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="firm_memberships")
    is_admin = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["firm", "user"], name="one_membership_per_firm_user")
        ]


class Zone(models.TextChoices):
    """Public-holiday zones of engine.calendar; NONE makes every day a working day."""

    METROPOLE = "metropole", _("Métropole")
    ALSACE_MOSELLE = "alsace-moselle", _("Alsace-Moselle")
    GUADELOUPE = "guadeloupe", _("Guadeloupe")
    MARTINIQUE = "martinique", _("Martinique")
    GUYANE = "guyane", _("Guyane")
    REUNION = "reunion", _("La Réunion")
    MAYOTTE = "mayotte", _("Mayotte")
    NONE = "none", _("Aucun jour férié")


class Organisation(models.Model):
    """A dossier: the company whose customers are chased; every row of data hangs on one."""

    firm = models.ForeignKey(
        Firm, models.SET_NULL, null=True, blank=True, related_name="organisations"
    )
    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True, max_length=60)
    siren = models.CharField(max_length=9, blank=True)
    address = models.TextField(blank=True)
    email_from = models.EmailField(blank=True, help_text="Default sender of relances (S4-05).")
    reply_to = models.EmailField(
        blank=True, help_text="Where replies go when nobody sends (S2-21)."
    )
    signature = models.CharField(max_length=120, blank=True)
    iban = models.CharField(max_length=34, blank=True)
    zone = models.CharField(max_length=20, choices=Zone.choices, default=Zone.METROPOLE)
    timezone = models.CharField(max_length=40, default="Europe/Paris")
    send_at = models.TimeField(default=time(8, 30), help_text="Local hour of the daily run (D-14).")
    sending_on = models.BooleanField(default=True, help_text="The switch over automatic sending.")
    switched_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    switched_at = models.DateTimeField(null=True, help_text="When the switch was last turned.")
    test_to = models.EmailField(
        blank=True, help_text="Test mode: everything leaves to this address instead."
    )
    test_since = models.DateTimeField(null=True)
    fresh_days = models.PositiveSmallIntegerField(
        null=True, default=7, help_text="Nothing automatic on an import older than this; null: off."
    )
    legal_form = models.CharField(max_length=120, blank=True, help_text="With capital and RCS.")
    bic = models.CharField(max_length=11, blank=True)
    logo = models.FileField(upload_to="logos/", blank=True, max_length=200)
    letter_footer = models.CharField(max_length=300, blank=True)
    inbound_key = models.CharField(
        max_length=24, blank=True, help_text="The part of its mail address that names it."
    )
    contract_rate_bp = models.PositiveIntegerField(
        null=True, help_text="Penalty rate of its terms of sale, hundredths of a percent a year."
    )
    interest_first = models.BooleanField(
        default=False, help_text="Part payments go to interest before the principal (A5)."
    )
    tolerance_cents = models.PositiveIntegerField(default=0)
    by_hand_modes = models.JSONField(default=list, help_text="Payment modes never chased alone.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["inbound_key"],
                condition=~models.Q(inbound_key=""),
                name="one_organisation_per_inbound_key",
            )
        ]

    def __str__(self) -> str:
        return self.name


class DunningRole(models.IntegerChoices):
    """What a member may do with unpaid invoices, each level including those before it."""

    NONE = 0, _("Aucun accès")
    READ = 10, _("Lecture seule")
    ACCOUNT_MANAGER = 20, _("Chargé de compte")
    FINANCE = 30, _("Finance")
    ADMIN = 40, _("Administrateur")


class BankRole(models.IntegerChoices):
    """R0 nothing, R1 see, R2 see and associate, R3 also manage accounts and rules (D-22)."""

    R0 = 0, _("R0\u00a0: aucun accès")
    R1 = 1, _("R1\u00a0: voir")
    R2 = 2, _("R2\u00a0: voir et associer")
    R3 = 3, _("R3\u00a0: gérer comptes et règles")


class CollectRole(models.IntegerChoices):
    """Ordered levels of document collection (D-22)."""

    NONE = 0, _("Aucun accès")
    OWN = 1, _("Restreint\u00a0: ses documents")
    ALL = 2, _("Restreint\u00a0: voir et valider tous les documents")
    FULL = 3, _("Complet")


class Membership(models.Model):
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    dunning_role = models.IntegerField(choices=DunningRole.choices, default=DunningRole.NONE)
    bank_role = models.IntegerField(choices=BankRole.choices, default=BankRole.R0)
    collect_role = models.IntegerField(choices=CollectRole.choices, default=CollectRole.NONE)
    wants_receipt_mails = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "user"], name="one_membership_per_organisation_user"
            )
        ]


class FollowRequest(models.Model):
    """A firm asks to follow a dossier that exists already; its administrator consents or not."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="follow_requests")
    firm = models.ForeignKey(Firm, models.CASCADE, related_name="follow_requests")
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "firm"], name="one_follow_request_per_firm"
            )
        ]


class Subscription(models.Model):
    """A regular e-mail that a user asked for, in one dossier (S4-30, D-13)."""

    class Kind(models.TextChoices):
        WEEKLY = "weekly", _("Récapitulatif du lundi")
        DAILY = "daily", _("À traiter aujourd’hui")
        FOREWARNING = "forewarning", _("Ce qui partira demain")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="subscriptions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    last_on = models.DateField(null=True, help_text="Local date of the last one: one a day.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "user", "kind"], name="one_subscription_per_kind"
            )
        ]


class SavedView(models.Model):
    """Filters and columns of a list, kept by a user; without a name, his present columns."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    page = models.CharField(max_length=40)
    name = models.CharField(max_length=60, blank=True)
    query = models.CharField(max_length=1000, blank=True, help_text="Query string of the filters.")
    columns = models.JSONField(default=list, help_text="Keys of the columns shown, in order.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "user", "page", "name"], name="one_view_per_name"
            )
        ]

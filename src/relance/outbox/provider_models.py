"""Accounts at providers of letters and SMS, and what they tell afterwards; part of `models`."""

from django.db import models

from relance.accounts.models import Organisation


class Tracking(models.Model):
    """What a provider told about a message after it took it: posted, delivered, returned…"""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    message = models.ForeignKey("outbox.Message", models.CASCADE, related_name="tracking")
    at = models.DateTimeField()
    status = models.CharField(max_length=20)
    detail = models.TextField(blank=True)
    proof = models.FileField(upload_to="proofs/", blank=True, max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "status", "at"], name="one_tracking_event")
        ]


class PostalAccount(models.Model):
    """The account at a provider that prints and posts letters; `secrets` are encrypted JSON."""

    organisation = models.OneToOneField(Organisation, models.CASCADE, related_name="postal")
    provider = models.CharField(max_length=20)
    secrets = models.TextField(blank=True)
    service = models.CharField(max_length=20, blank=True, help_text="Of simple letters.")
    colour = models.BooleanField(default=False)
    duplex = models.BooleanField(default=False)
    active = models.BooleanField(default=False)
    checked_at = models.DateTimeField(null=True)
    check_error = models.TextField(blank=True)


class SmsAccount(models.Model):
    """An SMS provider reached over HTTP; `secrets` (headers, body) are encrypted JSON."""

    organisation = models.OneToOneField(Organisation, models.CASCADE, related_name="sms")
    provider = models.CharField(max_length=20)
    url = models.URLField(max_length=300, blank=True)
    sender = models.CharField(max_length=11, blank=True)
    recipe = models.JSONField(default=dict, help_text="How the provider is spoken to; no secret.")
    secrets = models.TextField(blank=True)
    active = models.BooleanField(default=False)
    checked_at = models.DateTimeField(null=True)
    check_error = models.TextField(blank=True)


class Pretended(models.Model):
    """What a pretended provider of letters or SMS was given; it stands in for the other side."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    channel = models.CharField(max_length=10)
    key = models.CharField(max_length=200)
    what = models.JSONField()
    at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "channel", "key"], name="one_pretended_message"
            )
        ]

    @property
    def ref(self) -> str:
        """Its reference as that provider would give it."""
        return f"DEMO-{self.pk}"

    @classmethod
    def by_ref(cls, organisation_id: int, channel: str, ref: str) -> "Pretended | None":
        """The one of that reference."""
        number = ref.removeprefix("DEMO-")
        mine = cls.objects.filter(organisation_id=organisation_id, channel=channel)
        return mine.filter(pk=int(number)).first() if number.isdecimal() else None

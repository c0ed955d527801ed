"""The append-only journal: what happened, to whom, by whom, chained by hashes."""

from django.db import models

from relance.accounts.models import Organisation


class Event(models.Model):
    """One thing that happened. Ids are plain numbers: the journal outlives what it tells of."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    seq = models.PositiveBigIntegerField(help_text="1, 2, 3… within the organisation.")
    at = models.DateTimeField()
    on = models.DateField(help_text="Local date in the organisation's zone.")
    kind = models.CharField(max_length=40)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=120, blank=True)
    customer_id = models.BigIntegerField(null=True)
    invoice_id = models.BigIntegerField(null=True)
    message_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "seq"], name="one_event_per_seq")
        ]
        indexes = [
            models.Index(fields=["organisation", "customer_id", "-seq"], name="event_by_customer"),
            models.Index(fields=["organisation", "invoice_id", "-seq"], name="event_by_invoice"),
            models.Index(
                fields=["organisation", "-seq"], name="event_note", condition=models.Q(kind="note")
            ),
            # For the filters of the journal's page; they grow at their ends: cheap to write.
            models.Index(fields=["organisation", "kind", "-seq"], name="event_by_kind"),
            models.Index(fields=["organisation", "actor_id", "-seq"], name="event_by_actor"),
            models.Index(fields=["organisation", "on", "seq"], name="event_by_date"),
        ]


class Chain(models.Model):
    """The head of an organisation's journal; locking it orders the writers."""

    organisation = models.OneToOneField(Organisation, models.CASCADE, related_name="+")
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)
    begun_at = models.DateTimeField(null=True, help_text="A verification is under way since.")
    done_seq = models.PositiveBigIntegerField(default=0, help_text="How far it has come.")
    done_hash = models.CharField(max_length=64, default="0" * 64)
    verified_at = models.DateTimeField(null=True, help_text="When the last one came to its end.")
    verified_seq = models.PositiveBigIntegerField(default=0, help_text="The head that it found.")
    broken_seq = models.PositiveBigIntegerField(
        null=True, help_text="The first event that was not as written; null: all were."
    )

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("history", "0002_notes")]

    operations = [
        migrations.AddField(
            model_name="chain",
            name="begun_at",
            field=models.DateTimeField(help_text="A verification is under way since.", null=True),
        ),
        migrations.AddField(
            model_name="chain",
            name="done_seq",
            field=models.PositiveBigIntegerField(default=0, help_text="How far it has come."),
        ),
        migrations.AddField(
            model_name="chain",
            name="done_hash",
            field=models.CharField(default="0" * 64, max_length=64),
        ),
        migrations.AddField(
            model_name="chain",
            name="verified_at",
            field=models.DateTimeField(help_text="When the last one came to its end.", null=True),
        ),
        migrations.AddField(
            model_name="chain",
            name="verified_seq",
            field=models.PositiveBigIntegerField(default=0, help_text="The head that it found."),
        ),
        migrations.AddField(
            model_name="chain",
            name="broken_seq",
            field=models.PositiveBigIntegerField(
                help_text="The first event that was not as written; null: all were.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["organisation", "kind", "-seq"], name="event_by_kind"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["organisation", "actor_id", "-seq"], name="event_by_actor"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["organisation", "on", "seq"], name="event_by_date"),
        ),
    ]

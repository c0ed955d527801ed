from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outbox", "0009_channels_replies_proof")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="link_closed_at",
            field=models.DateTimeField(
                help_text="Since when its page of invoices is shut by hand.", null=True
            ),
        ),
    ]

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("outbox", "0017_digest_of_what_left"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["organisation", "status", "id"],
                name="message_of_a_test",
                condition=Q(diverted_to__gt=""),
            ),
        ),
    ]

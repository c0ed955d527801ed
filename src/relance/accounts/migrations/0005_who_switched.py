from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_firms_follow")]

    operations = [
        migrations.AddField(
            model_name="organisation",
            name="switched_at",
            field=models.DateTimeField(help_text="When the switch was last turned.", null=True),
        ),
        migrations.AddField(
            model_name="organisation",
            name="switched_by",
            field=models.ForeignKey(
                null=True,
                on_delete=models.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]

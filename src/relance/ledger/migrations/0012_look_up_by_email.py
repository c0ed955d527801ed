from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0011_phones_and_places_that_fail"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(Upper("email"), models.F("organisation"), name="contact_email"),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(Upper("email"), models.F("organisation"), name="customer_email"),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_absences")]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="noticed_on",
            field=models.DateField(
                help_text="A mise en demeure about it was received, as a person knows (A8).",
                null=True,
            ),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0010_reason_of_a_refused_address'),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='phone_invalid_since',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='customer',
            name='address_invalid_since',
            field=models.DateField(blank=True, help_text='Its letters come back.', null=True),
        ),
    ]

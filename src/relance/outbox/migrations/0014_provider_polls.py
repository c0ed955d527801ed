from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0013_sending_limits_and_domains'),
    ]

    operations = [
        migrations.AddField(
            model_name='message',
            name='poll_after',
            field=models.DateTimeField(help_text='When its provider is asked again about it.', null=True),
        ),
        migrations.AddField(
            model_name='smsaccount',
            name='recipe',
            field=models.JSONField(default=dict, help_text='How the provider is spoken to; no secret.'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=Q(('poll_after__isnull', False)), fields=['poll_after'], name='message_to_poll'),
        ),
    ]

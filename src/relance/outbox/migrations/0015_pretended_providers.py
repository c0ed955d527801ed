import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('outbox', '0014_provider_polls'),
    ]

    operations = [
        migrations.CreateModel(
            name='Pretended',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.CharField(max_length=10)),
                ('key', models.CharField(max_length=200)),
                ('what', models.JSONField()),
                ('at', models.DateTimeField()),
                ('cancelled_at', models.DateTimeField(null=True)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organisation')),
            ],
        ),
        migrations.AddConstraint(
            model_name='pretended',
            constraint=models.UniqueConstraint(fields=('organisation', 'channel', 'key'), name='one_pretended_message'),
        ),
    ]

from django.apps import AppConfig


class ReceiptsConfig(AppConfig):
    name = "relance.receipts"
    label = "receipts"

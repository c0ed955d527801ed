from django.apps import AppConfig


class HistoryConfig(AppConfig):
    name = "relance.history"
    label = "history"

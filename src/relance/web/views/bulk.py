"""Changes to many customers at once, with undo."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

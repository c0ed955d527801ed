"""One search over everything of the dossier."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

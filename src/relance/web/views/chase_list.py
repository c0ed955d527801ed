"""À relancer: encaissements by level (S4-15…26)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

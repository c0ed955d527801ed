"""Paramètres: test mode, and how fresh an import must be for automatic sending."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

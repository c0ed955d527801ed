"""Avant l’envoi: what leaves at the next run, and what is held back (A2)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

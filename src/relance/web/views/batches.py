"""Relances clients: the batch window, and what became of a batch (S1)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

"""Paramètres: the providers of letters and SMS, and the look of letters."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

"""Legal amounts: interest by semester, the flat fee, and their statement."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

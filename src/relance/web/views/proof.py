"""Proof: the journal and its chain, the dossier de recouvrement of a customer."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

"""Mails: the sender address and the mailboxes (S2-19…23, S4-04…06)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

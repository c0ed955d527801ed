"""What a user chose for himself: regular e-mails, copies, columns."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

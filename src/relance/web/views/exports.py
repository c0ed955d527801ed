"""Every list as an Excel workbook."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

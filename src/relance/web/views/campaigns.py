"""Campagnes: a message to any selection of customers (S3-04)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

"""Letters: the page to print, print runs and their confirmation."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

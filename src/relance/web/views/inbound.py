"""What came in: replies, bounces, absences, and the mailbox that they come to."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

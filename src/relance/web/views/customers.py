from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from relance.web.requests import enter


def customer_list(request: HttpRequest, slug: str) -> HttpResponse:
    enter(request, slug)
    return render(request, "base.html")


urlpatterns = [path("clients/", customer_list, name="customer_list")]

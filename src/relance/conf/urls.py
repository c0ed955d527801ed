"""The one map of addresses: each room of pages brings its own list."""

from django.urls import include, path

urlpatterns = [
    path("", include("relance.web.urls")),
    path("", include("relance.portal.urls")),
    path("api/", include("relance.api.inbound")),
]

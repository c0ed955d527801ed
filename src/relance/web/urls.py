"""Addresses of the pages, one list per place; everything of a dossier is under /d/<slug>/."""

from django.contrib.auth import views as auth
from django.urls import include, path

from relance.web.views import customers, dashboard, home, imports, outbox, plans, templates, today

urlpatterns = [
    path("", home.home, name="home"),
    path("connexion/", home.LoginView.as_view(), name="login"),
    path("deconnexion/", auth.LogoutView.as_view(), name="logout"),
    path("d/<slug:slug>/", include(today.urlpatterns)),
    path("d/<slug:slug>/", include(dashboard.urlpatterns)),
    path("d/<slug:slug>/", include(customers.urlpatterns)),
    path("d/<slug:slug>/", include(plans.urlpatterns)),
    path("d/<slug:slug>/", include(templates.urlpatterns)),
    path("d/<slug:slug>/", include(imports.urlpatterns)),
    path("d/<slug:slug>/", include(outbox.urlpatterns)),
]

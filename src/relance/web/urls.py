"""Addresses of the pages, one list per place; everything of a dossier is under /d/<slug>/."""

from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from relance.web.views import (
    bank,
    batches,
    bulk,
    campaigns,
    channels,
    chase_list,
    customers,
    dashboard,
    departures,
    exports,
    firm,
    firm_dossiers,
    firm_people,
    firm_settings,
    first_start,
    guard,
    home,
    imports,
    inbound,
    letters,
    mailbox_consent,
    mailboxes,
    outbox,
    own_files,
    penalties,
    people,
    plans,
    preferences,
    proof,
    receipts,
    saved_views,
    search,
    templates,
    today,
)
from relance.web.views import settings as settings_pages

urlpatterns = [
    path("", home.home, name="home"),
    path("connexion/", home.LoginView.as_view(), name="login"),
    path("deconnexion/", auth.LogoutView.as_view(), name="logout"),
    path("", include(preferences.door_urlpatterns)),
    path("", include(people.door_urlpatterns)),
    path("", include(mailbox_consent.door_urlpatterns)),
    path("", include(first_start.door_urlpatterns)),
    path("cabinet/", include(firm.urlpatterns)),
    path("cabinet/", include(firm_settings.urlpatterns)),
    path("cabinet/", include(firm_people.urlpatterns)),
    path("cabinet/", include(firm_dossiers.urlpatterns)),
    path("d/<slug:slug>/", include(today.urlpatterns)),
    path("d/<slug:slug>/", include(dashboard.urlpatterns)),
    path("d/<slug:slug>/", include(customers.urlpatterns)),
    path("d/<slug:slug>/", include(plans.urlpatterns)),
    path("d/<slug:slug>/", include(own_files.urlpatterns)),
    path("d/<slug:slug>/", include(templates.urlpatterns)),
    path("d/<slug:slug>/", include(imports.urlpatterns)),
    path("d/<slug:slug>/", include(outbox.urlpatterns)),
    path("d/<slug:slug>/", include(settings_pages.urlpatterns)),
    path("d/<slug:slug>/", include(bank.urlpatterns)),
    path("d/<slug:slug>/", include(receipts.urlpatterns)),
    path("d/<slug:slug>/", include(people.urlpatterns)),
    path("d/<slug:slug>/", include(batches.urlpatterns)),
    path("d/<slug:slug>/", include(bulk.urlpatterns)),
    path("d/<slug:slug>/", include(campaigns.urlpatterns)),
    path("d/<slug:slug>/", include(chase_list.urlpatterns)),
    path("d/<slug:slug>/", include(inbound.urlpatterns)),
    path("d/<slug:slug>/", include(proof.urlpatterns)),
    path("d/<slug:slug>/", include(penalties.urlpatterns)),
    path("d/<slug:slug>/", include(channels.urlpatterns)),
    path("d/<slug:slug>/", include(guard.urlpatterns)),
    path("d/<slug:slug>/", include(departures.urlpatterns)),
    path("d/<slug:slug>/", include(exports.urlpatterns)),
    path("d/<slug:slug>/", include(letters.urlpatterns)),
    path("d/<slug:slug>/", include(mailboxes.urlpatterns)),
    path("d/<slug:slug>/", include(preferences.urlpatterns)),
    path("d/<slug:slug>/", include(search.urlpatterns)),
    path("d/<slug:slug>/", include(saved_views.urlpatterns)),
]

if settings.DEMO:
    from relance.web.views import demo_mail

    urlpatterns += demo_mail.urlpatterns

if settings.DEBUG:
    from relance.web import styleguide

    @login_not_required
    def style_guide(request: HttpRequest) -> HttpResponse:
        """Every component of the house on one page, for those who build pages."""
        return render(request, "styleguide.html", styleguide.samples())

    urlpatterns.append(path("styleguide/", style_guide))

"""Paramètres > Garde-fous: the switch, the test mode, and how fresh an import must be.

Each is a form of its own, done at once; what will follow is said before, what followed after.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.daily import hooks as chase
from relance.dunning.facts import sending
from relance.dunning.services.plans import save_settings
from relance.dunning.services.switch import switch_sending
from relance.outbox import test_mode
from relance.outbox.models import Message
from relance.outbox.services import OutboxError
from relance.receipts import hooks as receipts
from relance.web import french
from relance.web.requests import enter, moment, today_of
from relance.web.views.settings import tabs_of

LONGEST = 365


class FreshForm(forms.Form):
    """After how many days without an import nothing leaves by itself."""

    on = forms.BooleanField(
        label=lazy("Arrêter les envois automatiques quand l’import est trop ancien"),
        required=False,
    )
    days = forms.IntegerField(
        label=lazy("Âge maximum de l’import"), min_value=1, max_value=LONGEST, required=False
    )

    def clean(self) -> dict[str, Any]:
        """Days are needed only while the guard is on."""
        values = super().clean() or {}
        if values.get("on") and not values.get("days") and "days" not in self.errors:
            self.add_error("days", _("Indiquez un nombre de jours."))
        return values


class TestForm(forms.Form):
    """Where everything goes during a test."""

    to = forms.EmailField(
        label=lazy("Adresse d’essai"),
        help_text=lazy("La vôtre, par exemple : elle recevra tout ce qui part."),
    )


def settings_guard(request: HttpRequest, slug: str) -> HttpResponse:
    """The three guards of the dossier, for its administrators."""
    access = enter(request, slug, DunningRole.ADMIN)
    deed = request.POST.get("deed", "") if request.method == "POST" else ""
    fresh, test = FreshForm(initial=_fresh(access)), TestForm(initial=_test(access))
    if deed in _DEEDS:
        _DEEDS[deed](request, access)
        return redirect(request.path)
    if deed == "fresh":
        fresh = FreshForm(request.POST)
        if fresh.is_valid():
            _save_fresh(request, access, fresh.cleaned_data)
            return redirect(request.path)
    elif deed == "test":
        test = TestForm(request.POST)
        if test.is_valid() and _enter_test(request, access, test):
            return redirect(request.path)
    return render(request, "settings/guard.html", _context(request, access, fresh, test))


def _context(
    request: HttpRequest, access: Access, fresh: FreshForm, test: TestForm
) -> dict[str, Any]:
    organisation = access.organisation
    today = today_of(request, access)
    fed = sending.fed_at(organisation)
    fed_on = clock.local_date(organisation, fed) if fed else None
    return {
        "access": access,
        "tabs": tabs_of(access, "garde-fous"),
        "today": today,
        "organisation": organisation,
        "fresh": fresh,
        "test": test,
        "fed_on": fed_on,
        "fed_age": french.relative_day(fed_on, today) if fed_on else "",
        "count": test_mode.count(organisation),
        "waiting": 0 if organisation.test_to else test_mode.waiting_for_real(organisation),
    }


def _fresh(access: Access) -> dict[str, Any]:
    days = access.organisation.fresh_days
    return {"on": days is not None, "days": days or 7}


def _test(access: Access) -> dict[str, Any]:
    return {"to": access.organisation.test_to or access.user.email}


def _switch(request: HttpRequest, access: Access, *, on: bool) -> None:
    changed = switch_sending(
        access.organisation,
        sending_on=on,
        actor=access.user,
        on=today_of(request, access),
        now=moment(request),
    )
    if changed and on:
        notes.success(request, _("Les envois automatiques ont repris."))
    elif changed:
        notes.warning(
            request, _("Les envois automatiques sont suspendus : rien ne part tout seul.")
        )


def _save_fresh(request: HttpRequest, access: Access, values: dict[str, Any]) -> None:
    save_settings(
        access.organisation,
        changes={"fresh_days": values["days"] if values["on"] else None},
        actor=access.user,
        on=today_of(request, access),
        now=moment(request),
    )
    notes.success(request, _("Paramètres enregistrés."))


def _enter_test(request: HttpRequest, access: Access, form: TestForm) -> bool:
    try:
        test_mode.enter(
            access.organisation,
            to=form.cleaned_data["to"],
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
        )
    except OutboxError:
        form.add_error("to", _("Cette adresse n’est pas valable."))
        return False
    notes.success(
        request,
        _("Mode test : tout part désormais à %(to)s.") % {"to": access.organisation.test_to},
    )
    return True


def _leave_test(request: HttpRequest, access: Access) -> None:
    now = moment(request)
    undone = test_mode.leave(
        access.organisation,
        actor=access.user,
        on=today_of(request, access),
        now=now,
        ended=lambda messages: _ended(messages, now),
    )
    words = ngettext(
        "Mode test quitté : %(n)s message d’essai est oublié.",
        "Mode test quitté : %(n)s messages d’essai sont oubliés.",
        undone,
    )
    notes.success(request, words % {"n": french.number(undone)})


def _ended(messages: Sequence[Message], now: datetime) -> None:
    """What follows for each chase, as when its message comes back."""
    asked = [one for one in messages if one.purpose == Message.Purpose.RECEIPTS]
    chased = [one for one in messages if one.purpose != Message.Purpose.RECEIPTS]
    if chased:
        chase.ended(chased, now)
    if asked:
        receipts.ended(asked, now)


_DEEDS = {
    "off": lambda request, access: _switch(request, access, on=False),
    "on": lambda request, access: _switch(request, access, on=True),
    "leave": _leave_test,
}


urlpatterns = [path("parametres/garde-fous/", settings_guard, name="settings_guard")]

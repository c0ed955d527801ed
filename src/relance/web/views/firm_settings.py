"""Paramètres of a firm: "activer les relances automatiques", and what differs for one dossier."""

import calendar
from datetime import date, timedelta

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from relance.accounts import clock
from relance.accounts.access import FirmAccess
from relance.accounts.models import Organisation
from relance.bank.services.errors import BankRefused
from relance.engine.receipts import day_in_month
from relance.receipts.automatic import calendar_from, upcoming
from relance.receipts.models import FileSchedule, FirmSchedule
from relance.receipts.services.schedules import save_file_schedule, save_firm_schedule
from relance.web import french
from relance.web.queries import firm as reads
from relance.web.requests import enter_firm, moment, user_of


@require_http_methods(["GET", "POST"])
def firm_settings(request: HttpRequest, firm: int) -> HttpResponse:
    """The checkbox, then one or two days of the month (S0-10, S0-16 to S0-18)."""
    access = enter_firm(request, firm)
    row = FirmSchedule.objects.filter(firm=access.firm).first() or FirmSchedule(firm=access.firm)
    if request.method != "POST":
        return _page(request, access, row)
    access.require_admin()
    days = _days(request.POST.getlist("jour"))
    after = request.POST.get("silence", "")
    try:
        saved = save_firm_schedule(
            firm=access.firm,
            enabled="actives" in request.POST,
            days=days or _present(row),
            working_days="ouvres" in request.POST,
            second_after=int(after) if after.isdecimal() and len(after) < 4 else None,
            actor=user_of(request),
            on=moment(request).date(),
            now=moment(request),
        )
    except BankRefused as refusal:
        return _page(request, access, row, refusal=str(refusal), chosen=set(days))
    if saved.enabled:
        notes.success(request, _("Les relances automatiques sont actives."))
    else:
        notes.success(
            request, _("Les relances automatiques sont arrêtées\u00a0: rien ne part seul.")
        )
    return redirect("firm_settings", firm)


def _days(values: list[str]) -> list[int]:
    return [int(value) for value in values if value.isdecimal() and len(value) < 3]


def _present(row: FirmSchedule) -> list[int]:
    """The box was ticked without a day: those kept from before, or the fifteenth."""
    if row.enabled:
        return []
    return [day for day in (row.first_day, row.second_day) if day]


def _page(
    request: HttpRequest,
    access: FirmAccess,
    row: FirmSchedule,
    *,
    refusal: str = "",
    chosen: set[int] | None = None,
) -> HttpResponse:
    now = moment(request)
    own = FileSchedule.objects.filter(organisation__firm=access.firm)
    days = {row.first_day, row.second_day} - {None} if chosen is None else chosen
    context = {
        "firm_access": access,
        "row": row,
        "refusal": refusal,
        "grid": [(day, day in days) for day in range(1, 32)],
        "short": shorter_months([day for day in days if day], now.date()),
        "departures": reads.departures(access, row, now) if row.enabled else [],
        "exceptions": own.exclude(mode=FileSchedule.Mode.FIRM)
        .select_related("organisation")
        .order_by("organisation__name")[:200],
    }
    return render(request, "firm/settings.html", context, status=422 if refusal else 200)


def shorter_months(days: list[int], today: date) -> str:
    """When a chosen day does not exist, what happens: said with the next date (S0-19, S0-20)."""
    late = sorted(day for day in days if day > 28)
    if not late:
        return ""
    month = today.replace(day=1)
    while calendar.monthrange(month.year, month.month)[1] >= late[0] or (
        day_in_month(late[0], month.year, month.month) < today
    ):
        month = (month + timedelta(days=32)).replace(day=1)
    on = french.date_text(day_in_month(late[0], month.year, month.month), None, "short year")
    if len(late) == 2:
        return _(
            "Les mois plus courts, les e-mails du %(first)s et du %(second)s n’en font qu’un, "
            "le dernier jour\u00a0: %(on)s."
        ) % {"first": late[0], "second": late[1], "on": on}
    return _("Les mois plus courts, l’e-mail du %(day)s part le dernier jour\u00a0: %(on)s.") % {
        "day": late[0],
        "on": on,
    }


@require_http_methods(["GET", "POST"])
def firm_file(request: HttpRequest, firm: int, pk: int) -> HttpResponse:
    """What differs for one dossier: own days, none, a starting date (D-03), a second contact."""
    access = enter_firm(request, firm)
    dossier = access.organisations.filter(pk=pk).select_related("firm").first()
    if dossier is None:
        raise Http404
    row = FileSchedule.objects.filter(organisation=dossier).first() or FileSchedule(
        organisation=dossier
    )
    refusal = ""
    if request.method == "POST":
        refusal = _save_file(request, dossier)
        if not refusal:
            notes.success(request, _("Exception enregistrée pour %(name)s.") % {"name": dossier})
            return redirect("firm_file", firm, pk)
    now = moment(request)
    schedule = FirmSchedule.objects.filter(firm=access.firm).first()
    planned = calendar_from(schedule, row)
    on = clock.local_date(dossier, now)
    days = set(_days(request.POST.getlist("jour"))) if refusal else {row.first_day, row.second_day}
    context = {
        "firm_access": access,
        "dossier": dossier,
        "row": row,
        "schedule": schedule,
        "modes": FileSchedule.Mode.choices,
        "grid": [(day, day in days) for day in range(1, 32)],
        "next": upcoming(planned, on, dossier.zone, 2) if planned else [],
        "refusal": refusal,
    }
    return render(request, "firm/file.html", context, status=422 if refusal else 200)


def _save_file(request: HttpRequest, dossier: Organisation) -> str:
    """Keep the exception; why not, when it cannot be."""
    start = request.POST.get("depuis", "")
    try:
        starting_on = date.fromisoformat(start) if start else None
    except ValueError:
        return _("Cette date n’existe pas.")
    try:
        save_file_schedule(
            organisation=dossier,
            mode=request.POST.get("mode", ""),
            days=_days(request.POST.getlist("jour")),
            starting_on=starting_on,
            second_contact=request.POST.get("second", ""),
            actor=user_of(request),
            on=clock.local_date(dossier, moment(request)),
            now=moment(request),
        )
    except BankRefused as refusal:
        return str(refusal)
    return ""


urlpatterns = [
    path("<int:firm>/parametres/", firm_settings, name="firm_settings"),
    path("<int:firm>/dossiers/<int:pk>/calendrier/", firm_file, name="firm_file"),
]

"""Justifier: one question at a time, for the client of an accountant, on a phone, without account.

Reading changes nothing but the date of the first reading; only what one posts acts (D-25).
"""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages as notes
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from relance.bank.models import Transaction
from relance.bank.previews import preview
from relance.bank.services.errors import BankRefused
from relance.engine.wording import money_words
from relance.formats.document_kind import MAX_BYTES
from relance.formats.faults import Fault
from relance.portal import queries
from relance.portal.entry import Entered, at_home, through_the_door
from relance.receipts import workbook as excel_file
from relance.receipts.services import answers
from relance.receipts.services.asking import workbook_name

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_WORKBOOK = 10_000_000
ARCHIVES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How workbooks begin, of today and of before."""
REFUSED = "portal_refused"
"""In the session until the page is shown again: why it was refused, and the note, not lost."""


@through_the_door
def everything(request: HttpRequest, entered: Entered) -> HttpResponse:
    """All the transactions of the request, and the end once nothing is missing (S0-31)."""
    if at_home(request, entered.door) and (place := _bank(entered, None)):
        return redirect(place)
    way = queries.course(entered.door)
    try:
        page = max(int(request.GET.get("page", "1")), 1)
    except ValueError:
        page = 1
    page = min(page, max(1, -(-way.total // queries.PAGE)))
    first = way.first()
    shown = queries.asked(entered.door).filter(pk=first).first() if first else None
    return _show(request, entered, way, shown, alone=False, page=page)


@through_the_door
def one(request: HttpRequest, entered: Entered, pk: int) -> HttpResponse:
    """The question about one transaction (S0-30, S0-32), and its answer."""
    row = queries.asked(entered.door).select_related("organisation").filter(pk=pk).first()
    if row is None:
        return render(
            request,
            "portal/sorry.html",
            {"why": "elsewhere", "entered": entered, **_firm(entered)},
            status=404,
        )
    if request.method == "POST":
        return _answer(request, entered, row)
    if at_home(request, entered.door) and (place := _bank(entered, row)):
        return redirect(place)
    kept = request.session.get(REFUSED, {}) if request.method == "GET" else {}
    if kept.get("row") != row.pk:
        return _show(request, entered, queries.course(entered.door), row)
    del request.session[REFUSED]
    way = queries.course(entered.door)
    return _show(request, entered, way, row, refused=kept["why"], note=kept["note"])


@through_the_door
def found(request: HttpRequest, entered: Entered, pk: int, link: int) -> HttpResponse:
    """The picture, drawn by us, of a receipt that was found for this transaction (D-23)."""
    row = queries.asked(entered.door).filter(pk=pk).first()
    proposal = (
        next((one for one in answers.found_for(row) if one.pk == link), None) if row else None
    )
    place = preview(proposal.document) if proposal and proposal.document else None
    if place is None:
        raise Http404
    return HttpResponse(place.read_bytes(), content_type="image/png")


@through_the_door
def workbook(request: HttpRequest, entered: Entered, filename: str) -> HttpResponse:
    """The Excel of what is still missing, to be completed (S0-33)."""
    rows = queries.asked(entered.door).exclude(missing="")
    answer = HttpResponse(excel_file.write_request_workbook(rows), content_type=XLSX)
    name = workbook_name(entered.door.organisation)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@through_the_door
def excel(request: HttpRequest, entered: Entered) -> HttpResponse:
    """The way for those who prefer a table: take it, complete it, send it back (S0-33, S0-34)."""
    context: dict[str, Any] = {}
    if request.method == "POST":
        upload = request.FILES.get("file")
        report = _read_back(entered, upload)
        if isinstance(report, str):
            context = {"refused": report}
        else:
            context = _report(report)
    way = queries.course(entered.door)
    context |= {
        **_firm(entered),
        "entered": entered,
        "way": way,
        "workbook_name": workbook_name(entered.door.organisation),
        "kinds": list(answers.WAIVERS),
    }
    return render(request, "portal/excel.html", context)


def _read_back(
    entered: Entered, upload: "UploadedFile[bytes] | None"
) -> list[excel_file.Reported] | str:
    """The report of a completed workbook, or the sentence that says why it was not read."""
    if upload is None:
        return _("Choisissez le fichier Excel que vous avez complété.")
    if (upload.size or 0) > MOST_WORKBOOK:
        return _("Ce fichier est trop lourd\u00a0: 10\u00a0Mo au plus.")
    raw = upload.read()
    report = excel_file.read_answers(
        organisation=entered.door.organisation,
        raw=raw,
        by=entered.by,
        on=entered.today,
        now=entered.now,
        door=entered.door,
    )
    if not isinstance(report, Fault):
        return report
    if report.code not in ("empty_file", "no_header") and not raw.startswith(ARCHIVES):
        report = Fault("binary")
    return excel_file.refusal_words(report)


def _report(report: Sequence[excel_file.Reported]) -> dict[str, Any]:
    """The lines that say something, and how many there are of each kind."""
    counts = {
        outcome: sum(line.outcome == outcome for line in report)
        for outcome in ("accepted", "done", "refused", "unknown", "empty")
    }
    told = [line for line in report if line.outcome != "empty"]
    return {"report": told, "counts": counts, "read": True}


def _answer(request: HttpRequest, entered: Entered, row: Transaction) -> HttpResponse:
    """Do what was posted, then lead to the next question; a refusal stays where it happened."""
    what = request.POST.get("what", "")
    note = request.POST.get("note", "").strip()
    facts: dict[str, Any] = {
        "row": row,
        "by": entered.by,
        "on": entered.today,
        "now": entered.now,
    }
    try:
        if what == "document":
            refused = _documents(request, entered, facts, note)
        else:
            refused = []
            _words(what, request.POST.get("link", ""), entered, facts, note)
    except BankRefused as refusal:
        if refusal.code in ("done", "gone"):
            notes.info(request, str(refusal))
            return redirect("portal_one", entered.token, row.pk)
        refused = [str(refusal)]
    way = queries.course(entered.door)
    row.refresh_from_db()
    if refused and row.missing:
        request.session[REFUSED] = {
            "row": row.pk,
            "why": refused,
            "note": note[: answers.MOST_NOTE],
        }
        return redirect("portal_one", entered.token, row.pk)
    for sentence in refused:
        notes.warning(request, sentence)
    return _onward(request, entered, way, row, what)


def _documents(
    request: HttpRequest, entered: Entered, facts: dict[str, Any], note: str
) -> list[str]:
    """Keep the files posted; the sentences about those that were refused."""
    uploads = [*request.FILES.getlist("photo"), *request.FILES.getlist("file")]
    if not uploads:
        raise BankRefused(_("Choisissez d’abord un fichier, ou prenez une photo."), "bad_count")
    refused = [
        _("«\u00a0%(name)s\u00a0» est trop lourd\u00a0: %(most)s\u00a0Mo au plus par fichier.")
        % {"name": upload.name, "most": MAX_BYTES // 1_000_000}
        for upload in uploads
        if (upload.size or 0) > MAX_BYTES
    ]
    good = [upload for upload in uploads if (upload.size or 0) <= MAX_BYTES]
    if not good:
        return refused
    if len(good) > answers.MOST_FILES:
        raise BankRefused(
            _("Dix fichiers au plus à la fois\u00a0: envoyez les autres ensuite."), "bad_count"
        )
    files = [answers.Sent(upload.read(), upload.name or "") for upload in good]
    given = answers.answer_with_files(**facts, files=files, note=note, door=entered.door)
    return refused + [
        _("«\u00a0%(name)s\u00a0» n’a pas été gardé. %(why)s")
        % {"name": one.filename, "why": one.why}
        for one in given.refused
    ]


def _words(what: str, link: str, entered: Entered, facts: dict[str, Any], note: str) -> None:
    """An answer without a file."""
    key = int(link) if link.isdecimal() and len(link) < 19 else 0
    if what == "confirm":
        answers.confirm(**facts, link_id=key, note=note, door=entered.door)
    elif what == "deny":
        answers.deny(**facts, link_id=key)
    elif what == "back":
        answers.take_back(**facts)
    else:
        answers.answer_no(**facts, kind=what, note=note, door=entered.door)


def _onward(
    request: HttpRequest, entered: Entered, way: queries.Course, row: Transaction, what: str
) -> HttpResponse:
    """The next question, or the same while something of it is missing, or the end."""
    if row.missing:
        if what == "document":
            lacking = row.lacking_cents
            notes.info(
                request,
                _("Bien reçu. Il manque encore %(left)s pour cette opération.")
                % {"left": money_words(lacking, row.currency)},
            )
        return redirect("portal_one", entered.token, row.pk)
    following = way.next_after(row.pk)
    if following is None:
        return redirect("portal_list", entered.token)
    thanks = _("Justificatif bien reçu, merci.") if what in ("document", "confirm") else ""
    notes.success(request, thanks or _("C’est noté, merci."))
    return redirect("portal_one", entered.token, following)


def _show(
    request: HttpRequest,
    entered: Entered,
    way: queries.Course,
    row: Transaction | None,
    *,
    alone: bool = True,
    page: int = 0,
    refused: Sequence[str] = (),
    note: str = "",
) -> HttpResponse:
    """The list and the question; on a phone one of them: the question when it stands `alone`."""
    key = row.pk if row else None
    place = way.place(key) if key is not None else None
    page = page or (place or 0) // queries.PAGE + 1
    said = queries.last_answers([row.pk]).get(row.pk) if row else None
    context = {
        **_firm(entered),
        "entered": entered,
        "way": way,
        "place": None if place is None else place + 1,
        "segments": way.segments(key),
        "items": queries.items(entered.door, way, page, key),
        "page": page,
        "pages": max(1, -(-way.total // queries.PAGE)),
        "item": queries.item(row, said, current=True) if row else None,
        "proposal": queries.proposed(row) if row else None,
        "may_take_back": row is not None and not row.missing and answers.said_no(row) is not None,
        "next": way.next_after(key) if key is not None else None,
        "alone": alone,
        "refused": refused,
        "note": note,
        "kinds": list(answers.WAIVERS),
    }
    return render(request, "portal/page.html", context)


def _firm(entered: Entered) -> dict[str, Any]:
    """Who speaks, about what, until when."""
    request, organisation = entered.door.request, entered.door.organisation
    firm = organisation.firm
    return {
        "asker": firm.name if firm else organisation.name,
        "dossier": organisation.name if firm else "",
        "month": queries.whole_month(request.first, request.last),
        "expires": entered.door.expires_at,
    }


def _bank(entered: Entered, row: Transaction | None) -> str | None:
    """Where a member with access to Banque justifies: this transaction there, or *À valider*."""
    slug = entered.door.organisation.slug
    try:
        if row is not None:
            return reverse("bank_transaction", args=[slug, row.pk])
        return f"{reverse('bank_list', args=[slug])}?etat=valider"
    except NoReverseMatch:
        return None

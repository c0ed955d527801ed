"""Every list as an Excel workbook, with the filters that it has on the page."""

import tempfile

from django.http import FileResponse, HttpRequest
from django.urls import path
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from relance.formats.workbook import write_workbook
from relance.web.queries import exports
from relance.web.requests import enter, today_of


@require_GET
def export(request: HttpRequest, slug: str, name: str) -> FileResponse:
    """The whole filtered list; beyond 1 048 575 rows, Excel's limit, on several sheets.

    The workbook is written to a file that is gone with the answer: memory stays what it is.
    """
    access = enter(request, slug)
    today = today_of(request, access)
    table = exports.table(access, name, request.GET, today)
    target = tempfile.TemporaryFile(prefix="relance-export-")  # noqa: SIM115  closed with the answer
    write_workbook(target, [table.sheet])
    target.seek(0)
    pieces = (access.organisation.slug, slugify(table.title)[:60], today.isoformat())
    return FileResponse(target, as_attachment=True, filename="-".join(pieces) + ".xlsx")


urlpatterns = [path("exports/<slug:name>/", export, name="export")]

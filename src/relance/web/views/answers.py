"""How a page with a list and a panel answers: a piece for htmx, a page or a redirect without."""

from typing import Any

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.http import trigger_client_event

from relance.accounts.access import Access
from relance.dunning.models import Action
from relance.web import french
from relance.web.queries import panel as reading
from relance.web.queries import today as morning
from relance.web.requests import today_of
from relance.web.sentences import actions_wait


def is_piece(request: HttpRequest) -> bool:
    """True when htmx asks for a piece of the page that it already shows."""
    htmx: Any = getattr(request, "htmx", False)
    return bool(htmx and not htmx.boosted and not htmx.history_restore_request)


def show_panel(
    request: HttpRequest,
    access: Access,
    action: Action,
    *,
    shown: reading.Panel | None = None,
    **extra: Any,
) -> HttpResponse:
    """The panel of an action, alone for htmx or as a page of its own."""
    on = today_of(request, access)
    shown = shown or reading.panel(access, action, on=on)
    template = "actions/_panel.html" if is_piece(request) else "actions/detail.html"
    context = {"shown": shown, "action": action, "today": on, "open": True, **extra}
    return render(request, template, context)


def done(
    request: HttpRequest, access: Access, action: Action, *, said: str, undo: str = ""
) -> HttpResponse:
    """A line is handled: it folds away, the next one is there, and one may call it back."""
    following = _following(request, access, action)
    if not is_piece(request):
        if not undo:
            notes.success(request, said)
        url = reverse("today", args=[access.organisation.slug])
        return redirect(f"{url}?action={following.pk}" if following else url)
    on = today_of(request, access)
    context = {
        "shown": reading.panel(access, following, on=on) if following else None,
        "action": following,
        "today": on,
        "open": False,
        "said": said,
        "undo": undo,
    }
    answer = render(request, "actions/_done.html", context)
    return trigger_client_event(answer, "relance:done", _changes(request, access, action))


def _following(request: HttpRequest, access: Access, action: Action) -> Action | None:
    """The action that the list on the screen shows next; without script, the next of mine."""
    mine = morning.my_actions(access, access.user, today_of(request, access))
    asked = request.POST.get("next", "")
    if asked.isdecimal():
        open_now = morning.waiting_actions(access).exclude(pk=action.pk)
        return open_now.filter(pk=int(asked[:18])).select_related("customer").first()
    if is_piece(request):
        return None
    later = mine.exclude(pk=action.pk)
    return later.filter(due_on__gte=action.due_on).first() or later.first()


def _changes(request: HttpRequest, access: Access, action: Action) -> dict[str, Any]:
    """What the rest of the page must now say: counts, sums and the sentence under the title."""
    slug, on = access.organisation.slug, today_of(request, access)
    mine = morning.summed(morning.my_actions(access, access.user, on))
    trouble = morning.trouble(access, on)
    return {
        "row": f"action-{action.pk}",
        "texts": {
            "todo-count": french.number(mine.lines) if mine.lines else "",
            "todo-sum": french.money(mine.cents) if mine.lines else "",
            "todo-sentence": actions_wait(mine.lines),
        },
        "nav": {
            reverse("today", args=[slug]): french.number(mine.lines + trouble.all),
            reverse("action_list", args=[slug]): french.number(mine.lines + trouble.mine),
        },
    }

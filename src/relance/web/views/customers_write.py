""" "Relancer": an e-mail written by a person, and the reading of one that will leave by itself."""

from datetime import date
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning import messages as writing
from relance.dunning import services as dunning
from relance.dunning import templating
from relance.dunning.look import look_at
from relance.dunning.models import Channel, Template
from relance.dunning.services.plans import save_template
from relance.dunning.services.undo import cancel_message
from relance.ledger.models import Customer, Invoice
from relance.outbox import services as outbox
from relance.outbox.models import Message
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.actions import WordsForm, addresses

MOST_INVOICES = 200


class WriteForm(WordsForm):
    """What one types: to whom, about what, in which words."""

    to = forms.CharField(
        label=lazy("À"),
        max_length=2000,
        help_text=lazy("Plusieurs adresses : séparez-les par une virgule."),
    )
    model_name = forms.CharField(label=lazy("Nom du nouveau modèle"), max_length=80, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["body"].widget.attrs["rows"] = 8


@require_http_methods(["GET", "POST"])
def customer_write(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The writing page: an empty text, the templates at the bottom (S2-03, S2-04), then send."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    customer = access.get(Customer, pk=pk)
    today = today_of(request, access)
    owed = list(
        access.all(Invoice)
        .filter(customer=customer, balance_cents__gt=0)
        .order_by("due", "number")[:MOST_INVOICES]
    )
    chosen = _chosen(request, owed, today)
    if request.method == "POST":
        return _posted(request, access, customer, owed, chosen, today)
    words = _words(request, access, customer)
    form = WriteForm(
        initial={
            "to": request.GET.get("a") or ", ".join(_usual(access, customer, chosen, today)),
            "subject": words.subject,
            "body": words.body,
            "copy": access.user.receives_copy,
        }
    )
    return _page(request, access, customer, owed, chosen, form)


def _chosen(request: HttpRequest, owed: list[Invoice], today: date) -> list[Invoice]:
    """Those of the address; without any, what is late, else everything owed.

    A disputed or promised invoice waits for a person to tick it.
    """
    values = request.POST if request.method == "POST" else request.GET
    asked = set(values.getlist("facture"))
    if asked or request.method == "POST":
        return [one for one in owed if str(one.pk) in asked]
    free = [
        one
        for one in owed
        if not one.disputed and (one.promise_until is None or one.promise_until < today)
    ]
    found = [one for one in free if one.due < today] or free
    return [one for one in found if one.currency == found[0].currency] if found else []


def _usual(access: Access, customer: Customer, chosen: list[Invoice], today: date) -> list[str]:
    """Who would receive it: favourites of the site, default contacts, or the address (S4-28)."""
    try:
        wanted = dunning.free_message(customer, invoices=chosen, on=today)
    except dunning.Refused:
        return [customer.email] if customer.email and not customer.email_invalid_since else []
    book = writing.open_book(access.organisation, [wanted])
    found = writing.recipients(book, customer.pk, [int(key) for key in wanted.action.invoices])
    return [one.email for one in found]


def _words(request: HttpRequest, access: Access, customer: Customer) -> writing.Words:
    """Empty, those of the template clicked at the bottom, or those of a message called back."""
    model = request.GET.get("modele", "")
    if model.isdecimal():
        return writing.text_of(access.get(Template, pk=int(model[:18])))
    again = request.GET.get("reprendre", "")
    if again.isdecimal():
        message = access.get(Message, pk=int(again[:18]), customer=customer)
        return writing.Words(message.subject, message.text)
    return writing.Words("", "")


def _page(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    owed: list[Invoice],
    chosen: list[Invoice],
    form: WriteForm,
    **extra: Any,
) -> HttpResponse:
    query = [("facture", one.pk) for one in chosen]
    context: dict[str, Any] = {
        "access": access,
        "customer": customer,
        "today": today_of(request, access),
        "owed": owed,
        "chosen": {one.pk for one in chosen},
        "form": form,
        "templates": [
            {"pk": one.pk, "name": one.name, "url": "?" + urlencode([*query, ("modele", one.pk)])}
            for one in access.all(Template).filter(channel=Channel.EMAIL).order_by("name")
        ],
        "sender": parseaddr(writing.sender(access.organisation)),
        "variables": {**templating.VARIABLES, **templating.BLOCKS},
        **extra,
    }
    htmx: Any = getattr(request, "htmx", None)
    name = "customers/_sheet.html" if htmx and htmx.target == "sheet" else "customers/write.html"
    status = 422 if form.errors and not htmx else 200
    return render(request, name, context, status=status)


def _posted(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    owed: list[Invoice],
    chosen: list[Invoice],
    today: date,
) -> HttpResponse:
    form = WriteForm(request.POST)
    deed = request.POST.get("faire", "lire")
    if not form.is_valid():
        return _page(request, access, customer, owed, chosen, form)
    data = form.cleaned_data
    words = writing.Words(data["subject"], data["body"])
    if deed == "modele":
        _save_template(request, access, form, words)
        return _page(request, access, customer, owed, chosen, form)
    try:
        if deed != "envoyer":
            sheet = preview(access, customer, chosen, words, today)
            return _page(request, access, customer, owed, chosen, form, sheet=sheet)
        message = dunning.write_to(
            customer,
            invoices=chosen,
            words=words,
            actor=user_of(request),
            on=today,
            now=moment(request),
            recipients=addresses(data["to"]),
            copy_to_me=data["copy"],
        )
    except dunning.Refused as refused:
        return _page(request, access, customer, owed, chosen, form, refusal=str(refused))
    url = reverse("customer_detail", args=[access.organisation.slug, customer.pk])
    return redirect(f"{url}?parti={message.pk}")


def preview(
    access: Access,
    customer: Customer,
    chosen: list[Invoice],
    words: writing.Words,
    today: date,
) -> dict[str, Any]:
    """What will leave, filled in, as it lies on the sheet."""
    wanted = dunning.free_message(customer, invoices=chosen, on=today)
    book = writing.open_book(access.organisation, [wanted])
    rendered, _to = writing.write(book, wanted, today, words=words, signature=str(access.user))
    return {"subject": rendered.subject, "body": writing.fragment(rendered.html)}


def _save_template(
    request: HttpRequest, access: Access, form: WriteForm, words: writing.Words
) -> None:
    """A new e-mail template from this very page (S2-06)."""
    name = form.cleaned_data["model_name"].strip()
    known = access.all(Template).filter(channel=Channel.EMAIL, name=name).exists()
    if not name:
        form.add_error("model_name", _("Donnez un nom au modèle."))
    elif known:
        form.add_error("model_name", _("Un modèle d’e-mail porte déjà ce nom."))
    else:
        save_template(
            Template(
                organisation=access.organisation,
                name=name,
                channel=Channel.EMAIL,
                subject=words.subject,
                body=words.body,
            ),
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
        notes.success(request, _("Modèle « %(name)s » enregistré.") % {"name": name})


@require_POST
def customer_write_undo(request: HttpRequest, slug: str, pk: int, message: int) -> HttpResponse:
    """Call back a message during its ten seconds; its words are still there."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    customer = access.get(Customer, pk=pk)
    found = access.get(Message, pk=message, customer=customer, purpose=Message.Purpose.AD_HOC)
    try:
        cancel_message(found, reason="CALLED_BACK", actor=access.user, now=moment(request))
    except outbox.StateConflictError:
        notes.error(request, _("Trop tard : ce message est déjà parti."))
        return redirect("customer_detail", slug, pk)
    notes.success(request, _("Message annulé : rien n’est parti. Vos mots sont encore là."))
    invoices = found.lines.values_list("invoice_id", flat=True)
    query = urlencode(
        [
            *(("facture", key) for key in invoices),
            ("reprendre", found.pk),
            ("a", ", ".join(found.recipients)),
        ]
    )
    return redirect(reverse("customer_write", args=[slug, pk]) + f"?{query}")


@require_GET
def customer_preview(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The next automatic message as it will leave if nothing is paid until then."""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    today = today_of(request, access)
    look = look_at(access.organisation, pk, on=today, today=today)
    planned = next((one for one in look.planned if one.action.automatic), None)
    if planned is None:
        raise Http404
    wanted = writing.Wanted(planned.action, look.now.case)
    [draft] = writing.drafts(access.organisation, [wanted], planned.on, not_before=moment(request))
    ids = [int(key) for key in planned.action.invoices]
    documents = access.all(Invoice).filter(pk__in=ids).exclude(document="")
    context = {
        "access": access,
        "customer": customer,
        "today": today,
        "planned": planned,
        "draft": draft,
        "body": writing.fragment(draft.html),
        "attachments": [one.number for one in documents.order_by("due", "number")],
    }
    return render(request, "customers/preview.html", context)


urlpatterns = [
    path("clients/<int:pk>/relancer/", customer_write, name="customer_write"),
    path(
        "clients/<int:pk>/relancer/<int:message>/annuler/",
        customer_write_undo,
        name="customer_write_undo",
    ),
    path("clients/<int:pk>/apercu/", customer_preview, name="customer_preview"),
]

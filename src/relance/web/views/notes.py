"""Notes of the timeline and the mentions that they make: written, withdrawn, read."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, User
from relance.dunning.models import Mention
from relance.dunning.services import Refused
from relance.dunning.services import notes as deeds
from relance.history.models import Event
from relance.ledger.models import Credit, Customer, Invoice
from relance.web.requests import enter, moment, today_of, user_of


class NoteForm(forms.Form):
    """A note and the members whom it is for; `@Prénom` in the text names them as well."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=deeds.LONGEST,
        widget=forms.Textarea(attrs={"rows": 2, "data-mentions": ""}),
    )
    told = forms.ModelMultipleChoiceField(
        User.objects.none(),
        label=gettext_lazy("Prévenir"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, access: Access, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [one.pk for one in deeds.members_of(access.organisation) if one != access.user]
        field: Any = self.fields["told"]
        field.queryset = User.objects.filter(pk__in=others).order_by("full_name", "email")


def note_form(request: HttpRequest, access: Access, customer: Customer) -> NoteForm:
    """An empty form, or with `note=ecart` what one tells of a balance that is not right (S3-06)."""
    initial = {"text": _gap(access, customer)} if request.GET.get("note") == "ecart" else {}
    return NoteForm(access, auto_id="note_%s", initial=initial)


def _gap(access: Access, customer: Customer) -> str:
    """The client's name and the references concerned, to be completed."""
    invoices = access.all(Invoice).filter(customer=customer, balance_cents__gt=0)
    credits_left = access.all(Credit).filter(customer=customer).exclude(left_cents=0)
    numbers = [
        *invoices.order_by("due", "id").values_list("number", flat=True)[:20],
        *credits_left.order_by("on", "id").values_list("number", flat=True)[:20],
    ]
    return _("Écart de solde chez %(name)s (%(code)s). Références : %(numbers)s. Constaté : ") % {
        "name": customer.name,
        "code": customer.code,
        "numbers": ", ".join(numbers) or "–",
    }


def _home(access: Access, customer_id: int, invoice_id: int | None) -> str:
    address = reverse("customer_detail", args=[access.organisation.slug, customer_id])
    return address + (f"?facture={invoice_id}" if invoice_id else "?onglet=historique")


@require_POST
def note_add(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Write a note on a client, or on the invoice named `facture`."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    customer = access.get(Customer, pk=pk)
    key = request.POST.get("facture", "")
    invoice = access.get(Invoice, pk=int(key[:18]), customer=customer) if key.isdecimal() else None
    form = NoteForm(access, request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, str(errors[0]))
        return redirect(_home(access, pk, invoice.pk if invoice else None))
    try:
        deeds.add_note(
            customer,
            text=form.cleaned_data["text"],
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
            invoice=invoice,
            told=list(form.cleaned_data["told"]),
        )
    except Refused as no:
        messages.error(request, str(no))
    else:
        messages.success(request, _("Note ajoutée."))
    return redirect(_home(access, pk, invoice.pk if invoice else None))


@require_POST
def note_withdraw(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Withdraw the note with this number of the journal; it stays readable as withdrawn."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    event = access.get(Event, seq=pk, kind="note")
    try:
        deeds.withdraw_note(
            access.organisation,
            seq=pk,
            actor=user_of(request),
            is_admin=access.is_admin,
            on=today_of(request, access),
            now=moment(request),
        )
    except Refused as no:
        messages.error(request, str(no))
    else:
        messages.success(request, _("Note retirée."))
    return redirect(_home(access, event.customer_id or 0, event.invoice_id))


@require_POST
def mention_read(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One has read where one was named: it leaves the morning."""
    access = enter(request, slug)
    deeds.read_mention(access.get(Mention, pk=pk, user=access.user), now=moment(request))
    if request.POST.get("fiche") == "1":
        mention = access.get(Mention, pk=pk)
        return redirect(_home(access, mention.customer_id, mention.invoice_id))
    return redirect("today", slug)


urlpatterns = [
    path("clients/<int:pk>/note/", note_add, name="note_add"),
    path("notes/<int:pk>/retirer/", note_withdraw, name="note_withdraw"),
    path("mentions/<int:pk>/lue/", mention_read, name="mention_read"),
]

""" "Relancer": an e-mail or a letter written by a person, and the reading of what leaves alone."""

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.contrib import messages as notes
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, Organisation
from relance.dunning import services as dunning
from relance.dunning.models import Channel, Template
from relance.dunning.queries import look_at
from relance.dunning.services.plans import save_template
from relance.dunning.services.undo import cancel_message
from relance.dunning.services.writing import WrittenError
from relance.dunning.wording import enclosures, letters, templating
from relance.dunning.wording import messages as writing
from relance.dunning.wording.sheet import fragment
from relance.ledger.models import Customer, Invoice
from relance.outbox import mailboxes, once, own_files, print_runs, provider_accounts
from relance.outbox import services as outbox
from relance.outbox.channels.email.mime import attached_name
from relance.outbox.models import Message, OwnFile
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.actions import WordsForm, addresses

MOST_INVOICES = 200


class Method(NamedTuple):
    """One way of writing: its word in the address of the page and the templates it may use."""

    key: str
    channel: str
    templates: tuple[str, ...]


METHODS = {
    "email": Method("email", Channel.EMAIL, (Channel.EMAIL,)),
    "courrier": Method("courrier", Channel.LETTER, (Channel.LETTER, Channel.REGISTERED_LETTER)),
}


class WriteForm(WordsForm):
    """What one types: from where, to whom, in which words; a letter has a place instead."""

    to = forms.CharField(
        label=lazy("À"),
        max_length=2000,
        help_text=lazy("Plusieurs adresses\u00a0: séparez-les par une virgule."),
    )
    rib = forms.BooleanField(label=lazy("Joindre le RIB"), required=False)
    pieces = forms.ModelMultipleChoiceField(
        label=lazy("Pièces jointes"),
        queryset=OwnFile.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    model_name = forms.CharField(label=lazy("Nom du nouveau modèle"), max_length=80, required=False)

    def __init__(
        self,
        *args: Any,
        method: Method,
        senders: list[mailboxes.Sender],
        organisation: Organisation,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, senders=senders, **kwargs)
        offered = own_files.offered(organisation)
        self.fields["pieces"].queryset = offered  # type: ignore[attr-defined]
        if not offered.exists():
            del self.fields["pieces"]
        if not organisation.iban:
            self.fields["rib"].disabled = True
            self.fields["rib"].help_text = _("Aucun IBAN dans les paramètres de l’entreprise.")
        self.fields["body"].widget.attrs["rows"] = 8
        if method.channel == Channel.LETTER:
            for name in ("to", "sender", "copy", "rib", "pieces"):
                self.fields.pop(name, None)

    def clean_pieces(self) -> QuerySet[OwnFile]:
        """Together they leave room for the invoices."""
        chosen: QuerySet[OwnFile] = self.cleaned_data["pieces"]
        if sum(one.size for one in chosen) > own_files.MOST_TOGETHER:
            raise forms.ValidationError(
                _("Ensemble, ces fichiers pèsent plus de 5 Mo\u00a0: gardez-en moins.")
            )
        return chosen

    @property
    def enclosed(self) -> enclosures.Enclosed:
        """What one ticked; valid forms alone."""
        data = self.cleaned_data
        return enclosures.Enclosed(tuple(data.get("pieces", ())), bool(data.get("rib")))


@dataclass(frozen=True)
class Desk:
    """Who writes to whom about which invoices, and how."""

    access: Access
    customer: Customer
    owed: list[Invoice]
    chosen: list[Invoice]
    method: Method
    senders: list[mailboxes.Sender]
    today: date

    @property
    def query(self) -> list[tuple[str, object]]:
        """What the address keeps when one changes the template or the method."""
        return [("canal", self.method.key), *(("facture", one.pk) for one in self.chosen)]

    @property
    def is_posted(self) -> bool:
        """A letter that a provider takes by itself: nobody prints it."""
        if self.method.channel != Channel.LETTER:
            return False
        post, _texts = provider_accounts.of(self.access.organisation)
        return post is not None and post.active

    def form(self, *args: Any, **kwargs: Any) -> WriteForm:
        """The fields of this way of writing, with the senders and files that may be chosen."""
        return WriteForm(
            *args,
            method=self.method,
            senders=self.senders,
            organisation=self.access.organisation,
            **kwargs,
        )


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
    values = request.POST if request.method == "POST" else request.GET
    method = METHODS.get(values.get("canal", ""), METHODS["email"])
    desk = Desk(
        access,
        customer,
        owed,
        _chosen(request, owed, today),
        method,
        mailboxes.senders(access.organisation, user_of(request)),
        today,
    )
    if request.method == "POST":
        return _posted(request, desk)
    words, enclosed = _words(request, access, customer)
    initial = {
        "to": request.GET.get("a") or ", ".join(_usual(desk)),
        "sender": desk.senders[0].key,
        "subject": words.subject,
        "body": words.body,
        "copy": access.user.receives_copy,
        "rib": enclosed.with_rib and bool(access.organisation.iban),
        "pieces": [one.pk for one in enclosed.files],
    }
    form = desk.form(initial=initial)
    return _page(request, desk, form)


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


def _usual(desk: Desk) -> list[str]:
    """Who would receive it: favourites of the site, default contacts, or the address (S4-28)."""
    customer = desk.customer
    try:
        wanted = dunning.free_message(customer, invoices=desk.chosen, on=desk.today)
    except dunning.Refused:
        return [customer.email] if customer.email and not customer.email_invalid_since else []
    book = writing.open_book(desk.access.organisation, [wanted])
    found = writing.recipients(book, customer.pk, [int(key) for key in wanted.action.invoices])
    return [one.email for one in found]


def _words(
    request: HttpRequest, access: Access, customer: Customer
) -> tuple[writing.Words, enclosures.Enclosed]:
    """Empty, those of the template clicked at the bottom, or those of a message called back.

    With the files that the template or the message takes along.
    """
    model = request.GET.get("modele", "")
    if model.isdecimal():
        template = access.get(Template, pk=int(model[:18]))
        return writing.text_of(template), enclosures.of_template(template)
    again = request.GET.get("reprendre", "")
    if again.isdecimal():
        message = access.get(Message, pk=int(again[:18]), customer=customer)
        return writing.Words(message.subject, message.text), enclosures.of_message(message)
    return writing.Words("", ""), enclosures.NOTHING


def _page(request: HttpRequest, desk: Desk, form: WriteForm, **extra: Any) -> HttpResponse:
    access, organisation = desk.access, desk.access.organisation
    templates = access.all(Template).filter(channel__in=desk.method.templates).order_by("name")
    context: dict[str, Any] = {
        "access": access,
        "customer": desk.customer,
        "today": desk.today,
        "owed": desk.owed,
        "chosen": {one.pk for one in desk.chosen},
        "form": form,
        "method": desk.method,
        "key": request.POST.get("cle") or once.new_key(),
        "is_letter": desk.method.channel == Channel.LETTER,
        "is_posted": desk.is_posted,
        "address": letters.address_lines(desk.customer),
        "letter_fault": letters.why_no_letter(desk.customer),
        "from_lines": letters.sender_lines(organisation),
        "ways": [
            {
                "label": label,
                "icon": icon,
                "url": "?" + urlencode([("canal", key), *desk.query[1:]]),
                "current": key == desk.method.key,
            }
            for key, label, icon in (
                ("email", _("E-mail"), "email"),
                ("courrier", _("Courrier"), "letter"),
            )
        ],
        "templates": [
            {
                "pk": one.pk,
                "name": one.name,
                "url": "?" + urlencode([*desk.query, ("modele", one.pk)]),
            }
            for one in templates
        ],
        "variables": {**templating.VARIABLES, **templating.BLOCKS},
        **extra,
    }
    htmx: Any = getattr(request, "htmx", None)
    name = "customers/_sheet.html" if htmx and htmx.target == "sheet" else "customers/write.html"
    status = 422 if form.errors and not htmx else 409 if "before" in extra else 200
    return render(request, name, context, status=status)


def _posted(request: HttpRequest, desk: Desk) -> HttpResponse:
    form = desk.form(request.POST)
    deed = request.POST.get("faire", "lire")
    if not form.is_valid():
        return _page(request, desk, form)
    data = form.cleaned_data
    words = writing.Words(data["subject"], data["body"])
    if deed == "modele":
        _save_template(request, desk, form, words)
        return _page(request, desk, form)
    try:
        said = _said(request, desk, words, data) | {"enclosed": form.enclosed}
        if deed == "envoyer":
            return _sent(request, desk, _sends(request, desk, said))
        draft = dunning.preview_to(desk.customer, **said)
    except dunning.Refused as refused:
        return _page(request, desk, form, refusal=str(refused))
    except WrittenError as before:
        return _page(request, desk, form, before=_before(before.message))
    if deed == "pdf" and draft.letter:
        pdf = print_runs.preview(draft.letter, now=moment(request))
        return HttpResponse(pdf, content_type="application/pdf")
    return _page(request, desk, form, sheet=sheet(draft, desk.chosen))


def _sends(request: HttpRequest, desk: Desk, said: dict[str, Any]) -> Message:
    """The message, once for each time the form was shown; WrittenError asks whether to, once."""
    seen = request.POST.get("vu", "")
    return dunning.write_to(
        desk.customer,
        **said,
        form_key=request.POST.get("cle", ""),
        seen=int(seen[:18]) if seen.isdecimal() else None,
    )


def _before(message: Message) -> dict[str, Any]:
    """Who wrote to this customer just before, and when."""
    at = timezone.localtime(message.made_at)
    words = _("%(who)s a écrit à ce client à %(hour)s au sujet de ces factures.")
    return {
        "pk": message.pk,
        "said": words % {"who": message.made_by, "hour": at.strftime("%H:%M")},
    }


def _said(
    request: HttpRequest, desk: Desk, words: writing.Words, data: dict[str, Any]
) -> dict[str, Any]:
    """What one typed and ticked, as the service takes it; Refused for what is no address."""
    return {
        "invoices": desk.chosen,
        "words": words,
        "actor": user_of(request),
        "on": desk.today,
        "now": moment(request),
        "recipients": addresses(data["to"]) if "to" in data else [],
        "copy_to_me": bool(data.get("copy")),
        "channel": desk.method.channel,
        "sender_key": data.get("sender", ""),
    }


def _sent(request: HttpRequest, desk: Desk, message: Message) -> HttpResponse:
    slug = desk.access.organisation.slug
    if desk.method.channel == Channel.LETTER and not desk.is_posted:
        said = _("Courrier à %(name)s prêt\u00a0: il reste à l’imprimer.") % {"name": desk.customer}
        notes.success(request, said)
        return redirect("letter_list", slug)
    url = reverse("customer_detail", args=[slug, desk.customer.pk])
    return redirect(f"{url}?parti={message.pk}")


def sheet(draft: outbox.Draft, chosen: list[Invoice]) -> dict[str, Any]:
    """What will leave, filled in, exactly as it lies in the outbox once it is queued."""
    told = {line.invoice_id for line in draft.lines}
    return {
        "draft": draft,
        "subject": draft.subject,
        "body": fragment(draft.html),
        "attachments": []
        if draft.letter
        else [
            attached_name(one.number, one.document.name or "")
            for one in chosen
            if one.document and one.pk in told
        ]
        + [own.name for own in draft.enclosed],
    }


def _save_template(request: HttpRequest, desk: Desk, form: WriteForm, words: writing.Words) -> None:
    """A new template, of the same method, from this very page (S2-06)."""
    access, channel = desk.access, desk.method.channel
    name = form.cleaned_data["model_name"].strip()
    known = access.all(Template).filter(channel=channel, name=name).exists()
    if not name:
        form.add_error("model_name", _("Donnez un nom au modèle."))
    elif known:
        form.add_error("model_name", _("Un modèle de ce genre porte déjà ce nom."))
    else:
        save_template(
            Template(
                organisation=access.organisation,
                name=name,
                channel=channel,
                subject=words.subject,
                body=words.body,
                with_rib=form.enclosed.with_rib,
            ),
            files=form.enclosed.files,
            actor=user_of(request),
            on=desk.today,
            now=moment(request),
        )
        notes.success(request, _("Modèle «\u00a0%(name)s\u00a0» enregistré.") % {"name": name})


@require_POST
def customer_write_undo(request: HttpRequest, slug: str, pk: int, message: int) -> HttpResponse:
    """Call back a message during its ten seconds; its words are still there."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    customer = access.get(Customer, pk=pk)
    found = access.get(Message, pk=message, customer=customer, purpose=Message.Purpose.AD_HOC)
    try:
        cancel_message(found, reason="CALLED_BACK", actor=access.user, now=moment(request))
    except outbox.StateConflictError:
        notes.error(request, _("Trop tard\u00a0: ce message est déjà parti."))
        return redirect("customer_detail", slug, pk)
    notes.success(request, _("Message annulé\u00a0: rien n’est parti. Vos mots sont encore là."))
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
        "body": fragment(draft.html),
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

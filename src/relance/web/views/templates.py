"""Modèles: the words of each level, tried on a real client before they are saved (S1-01…04)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages as notes
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.models import Channel, Plan, Step, Template
from relance.dunning.plans import starters
from relance.dunning.services import Refused, free_message
from relance.dunning.services.plans import delete_template, save_template
from relance.dunning.wording import charges, formal_notice, messages, sheet, templating
from relance.dunning.wording.methods import levels_by_name, words_for
from relance.dunning.wording.sms import shortened
from relance.engine.wording import date_words
from relance.formats import sms as sms_length
from relance.ledger.models import Customer, Invoice
from relance.outbox import own_files
from relance.outbox.models import OwnFile
from relance.outbox.services import POSTED
from relance.web import french
from relance.web.requests import enter, moment, today_of, user_of

CLIENTS_OFFERED = 60
INVOICES_SHOWN = 200
LONGEST_BODY = 20_000


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """The words of a template; a variable that does not exist is refused with a suggestion."""

    language = forms.ChoiceField(
        label=gettext_lazy("Langue"), choices=[("fr", "Français"), ("en", "English")]
    )
    body = forms.CharField(
        label=gettext_lazy("Texte"),
        max_length=LONGEST_BODY,
        widget=forms.Textarea(attrs={"class": "textarea--message", "rows": 16}),
    )

    class Meta:
        model = Template
        fields = ["name", "channel", "language", "subject", "body", "with_rib", "files"]
        widgets = {"files": forms.CheckboxSelectMultiple}
        labels = {
            "name": gettext_lazy("Nom"),
            "channel": gettext_lazy("Méthode d’envoi"),
            "subject": gettext_lazy("Objet"),
            "with_rib": gettext_lazy("Joindre le RIB"),
            "files": gettext_lazy("Pièces jointes"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subject"].required = self["channel"].value() == Channel.EMAIL
        mine = own_files.offered(self.instance.organisation)
        self.fields["files"].queryset = mine  # type: ignore[attr-defined]

    def clean_subject(self) -> str:
        return self._known(str(self.cleaned_data["subject"]), blocks=False)

    def clean_body(self) -> str:
        return self._known(str(self.cleaned_data["body"]), blocks=True)

    def clean_files(self) -> QuerySet[OwnFile]:
        """Together they leave room for the invoices."""
        chosen: QuerySet[OwnFile] = self.cleaned_data["files"]
        if sum(one.size for one in chosen) > own_files.MOST_TOGETHER:
            raise forms.ValidationError(
                _("Ensemble, ces fichiers pèsent plus de 5 Mo : gardez-en moins.")
            )
        return chosen

    def _known(self, source: str, *, blocks: bool) -> str:
        found = templating.faults(source, blocks_allowed=blocks)
        if found:
            raise forms.ValidationError([fault.message for fault in found])
        return source

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or self.cleaned_data)
        same = Template.objects.filter(
            organisation=self.instance.organisation,
            name=values.get("name", ""),
            channel=values.get("channel", ""),
        ).exclude(pk=self.instance.pk)
        if same.exists():
            self.add_error("name", _("Un modèle de cette méthode porte déjà ce nom."))
        return values


def template_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every template by method, with the levels that use it; starters when there is none."""
    access = enter(request, slug)
    rows = access.all(Template).annotate(uses=Count("steps")).order_by("channel", "name")
    named = levels_by_name(access.organisation)
    for row in rows:
        row.named = named[row.pk]  # type: ignore[attr-defined]
    groups = [
        (Channel(channel), _GROUPS.get(channel, Channel(channel).label), mine)
        for channel in Channel.values
        if (mine := [row for row in rows if row.channel == channel])
    ]
    context = {
        "access": access,
        "groups": groups,
        "starters": starters.STARTERS,
        "missing": _missing(access) if groups else [],
    }
    return render(request, "templates/list.html", context)


_GROUPS: dict[str, Any] = {
    Channel.EMAIL: gettext_lazy("Modèles Mail"),
    Channel.LETTER: gettext_lazy("Modèles Lettre"),
    Channel.SMS: gettext_lazy("Modèles SMS"),
}
"""What the templates of a method are called (S1-02, S1-03)."""


def _missing(access: Access) -> list[tuple[str, str, str]]:
    """Levels that have no words for a method of Relances clients, as (method, levels, link).

    A template of that method with the name of the level's own template, or of the level, fills it.
    """
    steps = list(access.all(Step).select_related("template").order_by("level", "name"))
    plans = {step.plan_id for step in steps}
    found = []
    for channel, label in ((Channel.EMAIL, _("Mail")), (Channel.LETTER, _("Lettre"))):
        words = words_for(access.organisation, plans, channel)
        names = [
            f"{step.name}{french.NBSP}({step.level})"
            for step in steps
            if (step.plan_id, step.level) not in words
        ]
        if names:
            address = reverse("template_new", args=[access.organisation.slug])
            found.append((label, ", ".join(dict.fromkeys(names)), f"{address}?methode={channel}"))
    return found


@require_POST
def template_start(request: HttpRequest, slug: str) -> HttpResponse:
    """Begin with the standard plan and its templates, in one click."""
    access = enter(request, slug, DunningRole.ADMIN)
    if access.all(Plan).filter(name="Standard").exists():
        notes.error(request, _("Un plan «\u00a0Standard\u00a0» existe déjà."))
        return redirect("plan_list", slug)
    plan = starters.begin(
        access.organisation,
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    notes.success(request, _("Le plan Standard et ses modèles sont prêts à être relus."))
    return redirect("plan_detail", slug, plan.pk)


def template_new(request: HttpRequest, slug: str) -> HttpResponse:
    """An empty template, or a copy of another one (`?modele=`)."""
    access = enter(request, slug, DunningRole.ADMIN)
    template = Template(organisation=access.organisation)
    if request.GET.get("methode") in Channel.values:
        template.channel = request.GET["methode"]
    source = request.GET.get("modele", "")
    if source.isdecimal():
        copied = access.get(Template, pk=int(source))
        template.channel, template.subject, template.body = (
            copied.channel,
            copied.subject,
            copied.body,
        )
        template.name = _("%(name)s (copie)") % {"name": copied.name}
    return _edit(request, access, template)


def template_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One template: read by everyone, changed by administrators."""
    access = enter(request, slug)
    template = access.get(Template, pk=pk)
    if request.method == "POST":
        access.require(DunningRole.ADMIN)
    return _edit(request, access, template)


def _edit(request: HttpRequest, access: Access, template: Template) -> HttpResponse:
    title = template.name
    typed = request.POST.copy() if request.method == "POST" else None
    plainer = typed is not None and "plainer" in typed
    if typed is not None and plainer:  # only the words change, to be read again before saving
        typed["body"] = sms_length.plainer(typed.get("body", ""))
    form = TemplateForm(typed, instance=template)
    refusal = ""
    if request.method == "POST" and not plainer and form.is_valid():
        try:
            save_template(
                form.save(commit=False),
                files=form.cleaned_data["files"],
                actor=user_of(request),
                on=today_of(request, access),
                now=moment(request),
            )
        except Refused as refused:
            refusal = str(refused)
        else:
            notes.success(request, _("Modèle enregistré."))
            return redirect("template_detail", access.organisation.slug, template.pk)
    if not access.is_admin:
        for field in form.fields.values():
            field.disabled = True
    on = today_of(request, access)
    clients = list(_clients(access, on))
    context = {
        "access": access,
        "title": title,
        "form": form,
        "template": template,
        "refusal": refusal,
        "variables": templating.VARIABLES,
        "blocks": templating.BLOCKS,
        "uses": list(template.steps.select_related("plan")) if template.pk else [],
        "named": levels_by_name(access.organisation)[template.pk] if template.pk else 0,
        "clients": clients,
        "has_files": bool(form.fields["files"].choices),  # type: ignore[attr-defined]
        **_preview(request, access, form, clients),
    }
    return render(request, "templates/detail.html", context)


@require_POST
def template_preview(request: HttpRequest, slug: str) -> HttpResponse:
    """The sheet as it would be sent to the chosen client, from the words being typed."""
    access = enter(request, slug)
    form = TemplateForm(request.POST, instance=Template(organisation=access.organisation))
    clients = list(_clients(access, today_of(request, access))[:1])
    return render(
        request, "templates/_sheet.html", _preview(request, access, form, clients, live=True)
    )


@require_POST
def template_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Remove a template that no level uses."""
    access = enter(request, slug, DunningRole.ADMIN)
    template = access.get(Template, pk=pk)
    try:
        delete_template(
            template,
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
    except Refused as refused:
        notes.error(request, str(refused))
        return redirect("template_detail", slug, pk)
    notes.success(request, _("Modèle supprimé."))
    return redirect("template_list", slug)


def _clients(access: Access, on: date) -> QuerySet[Customer]:
    """Clients to try a text on: those with something overdue, by name."""
    late = access.all(Invoice).filter(balance_cents__gt=0, due__lt=on).values("customer_id")
    return access.all(Customer).filter(pk__in=late).order_by("name")[:CLIENTS_OFFERED]


def _preview(
    request: HttpRequest,
    access: Access,
    form: TemplateForm,
    clients: list[Customer],
    *,
    live: bool = False,
) -> dict[str, Any]:
    """The rendered words for the chosen client, or the reason why they cannot be shown.

    `live`: while one types, the faults stand above the sheet; saved, they are at their fields.
    """
    on = today_of(request, access)
    subject = str(form["subject"].value() or "")[:LONGEST_BODY]
    body = str(form["body"].value() or "")[:LONGEST_BODY]
    chosen = request.POST.get("client") or request.GET.get("client") or ""
    customer = access.get(Customer, pk=int(chosen)) if chosen.isdecimal() else None
    customer = customer or next(iter(clients), None)
    faults = [*templating.faults(subject, blocks_allowed=False), *templating.faults(body)]
    shown: dict[str, Any] = {
        "customer": customer,
        "faults": faults if live else [],
        "today": on,
        "formal": _formal(str(form["channel"].value() or ""), subject, body),
    }
    if customer is None:
        return shown
    owed = access.all(Invoice).filter(customer=customer, balance_cents__gt=0).order_by("due")
    late = list(owed.filter(due__lt=on)[:INVOICES_SHOWN]) or list(owed[:INVOICES_SHOWN])
    try:
        wanted = free_message(customer, invoices=late, on=on)
    except Refused as refused:
        return shown | {"refusal": str(refused)}
    channel = form["channel"].value()
    name = str(form["name"].value() or "")[:60]
    wanted = wanted._replace(action=wanted.action._replace(name=name))
    book = messages.open_book(access.organisation, [wanted])
    rendered, to = messages.write(
        book, wanted, on, words=messages.Words(subject, body), signature=str(access.user)
    )
    if channel == Channel.SMS:
        text = shortened(rendered.text)
        shown |= {"sms": sms_length.count(text), "sms_text": text, "saved": sms_length.saves(text)}
    return shown | {
        "rendered": rendered,
        "body": sheet.fragment(rendered.html),
        "to": to,
        "by_mail": channel == Channel.EMAIL,
        "left_out": _left_out(book, wanted, to, on, f"{subject} {body}"),
        "has_subject": channel not in (Channel.SMS, Channel.CALL, Channel.TASK),
        "date": date_words(on),
    }


def _left_out(
    book: messages.Book,
    wanted: messages.Wanted,
    to: Sequence[messages.Recipient],
    on: date,
    words: str,
) -> str:
    """Why a line about penalties is left out for this client, if one is."""
    if not charges.uses(templating.names_of(words)):
        return ""
    names = messages.values(book, wanted, to, on).names
    return names.why_left_out if isinstance(names, charges.Values) else ""


def _formal(channel: str, subject: str, body: str) -> list[dict[str, Any]]:
    """The parts of a mise en demeure (A10) and whether this letter holds them; else nothing."""
    if channel not in POSTED or not formal_notice.is_formal(subject, body):
        return []
    names = templating.names_of(f"{subject} {body}")
    missing = {part.code for part in formal_notice.lacks(subject, body, names)}
    return [{"label": part.label, "missing": part.code in missing} for part in formal_notice.PARTS]


urlpatterns = [
    path("modeles/", template_list, name="template_list"),
    path("modeles/nouveau/", template_new, name="template_new"),
    path("modeles/commencer/", template_start, name="template_start"),
    path("modeles/apercu/", template_preview, name="template_preview"),
    path("modeles/<int:pk>/", template_detail, name="template_detail"),
    path("modeles/<int:pk>/supprimer/", template_delete, name="template_delete"),
]

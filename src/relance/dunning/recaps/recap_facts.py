"""What regular e-mails tell (S4-30, D-13): gathered in a few queries, worded for one reader.

Everything is said in the mail itself, so that it can be read without logging in; a link beside
each line leads to the page where one acts.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, Subscription, User
from relance.dunning import queries
from relance.dunning.facts import sending
from relance.dunning.models import Action, Channel, Outlook, Step, ToChase
from relance.dunning.recaps.recap_mail import Figure, Mail, Part, Row
from relance.engine.wording import date_words, money_words
from relance.ledger import queries as ledger
from relance.ledger.models import Invoice
from relance.outbox.models import WAITING, Message, Status

SHOWN = 12
"""Lines of a list in a mail; the page shows the others."""
MOST_LEAVING = 500
SALT = "relance.subscription"


class _Level(NamedTuple):
    """Late invoices that reached a level: who, how many, how much."""

    name: str
    invoices: int
    customers: int
    cents: int
    currency: str


def stop_url(subscription: Subscription) -> str:
    """Where one ends a regular e-mail without logging in: signed, good for this one only."""
    token = signing.dumps(subscription.pk, salt=SALT, compress=False)
    return settings.PUBLIC_URL + reverse("subscription_stop", args=[token])


def weekly(organisation: Organisation, user: User, on: date, stop: str) -> Mail:
    """The unpaid by level reached and the relances to do, on local date `on` (S4-30)."""
    totals = ledger.totals(organisation, on)
    late_invoices = sum(one.overdue.count for one in totals.values())
    figures = [
        figure
        for currency, one in sorted(totals.items())
        for figure in (
            Figure(
                _("En retard"),
                money_words(one.overdue.cents, currency),
                _invoices(one.overdue.count),
                late=one.overdue.cents > 0,
            ),
            Figure(
                _("Reste dû en tout"),
                money_words(one.open.cents, currency),
                _invoices(one.open.count),
            ),
        )
    ]
    chase = ToChase.objects.filter(organisation=organisation)
    to_do = chase.count()
    lead = (
        _("Rien n’est en retard. Il n’y a rien à relancer.")
        if not late_invoices and not to_do
        else _("Voici où en sont les impayés, et les relances qui restent à faire.")
    )
    return _mail(
        organisation,
        on,
        stop,
        subject=_("Impayés de la semaine : %(amount)s en retard") % {"amount": _late(totals)},
        title=_("Les impayés de la semaine"),
        lead=lead,
        figures=figures,
        parts=[
            _levels_part(organisation, on),
            _chase_part(organisation, chase, to_do, on),
            _mine_part(organisation, user, on),
        ],
        button=_("Ouvrir Relance"),
        url=link("today", organisation),
        foot=_("Vous recevez ce message chaque lundi parce que vous l’avez demandé."),
    )


def daily(organisation: Organisation, user: User, on: date, stop: str) -> Mail | None:
    """What waits for the user on `on`; None when nothing does: no mail says nothing."""
    mine = _mine(organisation, user, on)
    waiting = mine.count()
    trouble = Message.objects.filter(
        organisation=organisation, status__in=[Status.UNCERTAIN, Status.TO_APPROVE]
    ).count()
    if not waiting and not trouble:
        return None
    figures = [Figure(_("Actions qui vous attendent"), str(waiting))]
    if trouble:
        figures.append(Figure(_("Envois qui attendent une décision"), str(trouble), late=True))
    subject = ngettext(
        "%(n)s action à traiter aujourd’hui", "%(n)s actions à traiter aujourd’hui", waiting
    )
    return _mail(
        organisation,
        on,
        stop,
        subject=subject % {"n": waiting},
        title=_("À traiter aujourd’hui"),
        lead=_("Ce qui attend une personne, du plus ancien au plus récent."),
        figures=figures,
        parts=[_mine_part(organisation, user, on)],
        button=_("Ouvrir Aujourd’hui"),
        url=link("today", organisation),
        foot=_("Vous recevez ce message les jours ouvrés parce que vous l’avez demandé."),
    )


def forewarning(organisation: Organisation, leaves: date, on: date, stop: str) -> Mail | None:
    """What the run of `leaves` would send, by a dry run of the engine; None when nothing would."""
    rows = _leaving(organisation, leaves)
    if not rows or sending.stop(organisation, on):
        return None
    candidates = Outlook.objects.filter(
        organisation=organisation, next_automatic=True, next_on__lte=leaves
    ).count()
    every = len(rows) + max(candidates - MOST_LEAVING, 0)
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.cents
    amounts = [money_words(cents, currency) for currency, cents in sorted(sums.items())]
    customers = len({row.customer for row in rows})
    query = "?" + urlencode({"jour": leaves.isoformat()})
    day = date_words(leaves, _)
    count = ngettext("%(n)s relance partira", "%(n)s relances partiront", every) % {"n": every}
    return _mail(
        organisation,
        on,
        stop,
        subject=_("%(count)s le %(day)s") % {"count": count, "day": day},
        title=count,
        lead=_("Le %(day)s à %(hour)s, si rien ne change d’ici là. Vous pouvez encore en retenir.")
        % {"day": day, "hour": organisation.send_at.strftime("%H:%M")},
        figures=[
            Figure(
                _("Montant rappelé"),
                " + ".join(amounts),
                ngettext("%(n)s client", "%(n)s clients", customers) % {"n": customers},
            )
        ],
        parts=[
            Part(
                _("Ce qui partira, par montant"),
                tuple(_leaving_row(organisation, row, query) for row in rows[:SHOWN]),
                _others(every - SHOWN),
            )
        ],
        button=_("Voir tout ce qui partira"),
        url=link("before_list", organisation) + query,
        foot=_("Vous recevez ce message la veille d’un départ parce que vous l’avez demandé."),
    )


class _Leaving(NamedTuple):
    """One message of a departure to come: its customer and level, cents asked for."""

    customer: int
    name: str
    level: str
    cents: int
    currency: str


def _leaving_row(organisation: Organisation, row: _Leaving, query: str) -> Row:
    return Row(
        row.name,
        row.level,
        money_words(row.cents, row.currency),
        _("Lire ou retenir"),
        link("before_customer", organisation, row.customer) + query,
    )


def link(name: str, organisation: Organisation, *rest: object) -> str:
    """The whole address of a page of the dossier."""
    return settings.PUBLIC_URL + reverse(name, args=[organisation.slug, *rest])


def _leaving(organisation: Organisation, on: date) -> list[_Leaving]:
    """The messages of the departure of `on`, foreseen or written ahead, the largest first."""
    wanted = [one.action for one in queries.next_departure(organisation, on, limit=MOST_LEAVING)]
    names = dict(
        Outlook.objects.filter(
            organisation=organisation, customer__in={int(one.customer) for one in wanted}
        ).values_list("customer_id", "customer__name")
    )
    found = [
        _Leaving(int(one.customer), names[int(one.customer)], one.name, one.amount, one.currency)
        for one in wanted
    ]
    written = Message.objects.filter(
        organisation=organisation,
        automatic=True,
        purpose=Message.Purpose.STEP,
        on=on,
        status__in=WAITING,
    ).values_list("customer_id", "customer__name", "level_name", "amount_cents", "currency")
    found += [_Leaving(*row) for row in written]
    return sorted(found, key=lambda row: (-row.cents, row.name, row.customer))


def _levels_part(organisation: Organisation, on: date) -> Part:
    late = Invoice.objects.filter(
        organisation=organisation,
        balance_cents__gt=0,
        balance_cents__gte=organisation.tolerance_cents,
        due__lt=on,
    )
    found = (
        late.values_list("chase__level", "currency")
        .annotate(
            Min("chase__level_name"),
            Max("chase__level_name"),
            Count("pk"),
            Count("customer", distinct=True),
            Sum("balance_cents"),
        )
        .order_by("chase__level", "currency")
    )
    levels: dict[tuple[int, str], _Level] = {}
    for level, currency, first, last, invoices, customers, cents in found:
        name = _("Jamais relancées")
        if level:
            name = first if first and first == last else _("Niveau %(n)s") % {"n": level}
        before = levels.get((level or 0, currency), _Level(name, 0, 0, 0, currency))
        levels[level or 0, currency] = _Level(
            name, before.invoices + invoices, before.customers + customers,
            before.cents + cents, currency,
        )  # fmt: skip
    url = link("dashboard", organisation)
    return Part(
        _("Impayés échus, par niveau atteint"),
        tuple(
            Row(
                one.name,
                _("%(invoices)s, %(customers)s")
                % {
                    "invoices": _invoices(one.invoices),
                    "customers": ngettext("%(n)s client", "%(n)s clients", one.customers)
                    % {"n": one.customers},
                },
                money_words(one.cents, one.currency),
                _("Voir"),
                url,
            )
            for _key, one in sorted(levels.items())
        ),
        "" if levels else _("Aucune facture n’est échue."),
    )


def _chase_part(organisation: Organisation, chase: QuerySet[ToChase], count: int, on: date) -> Part:
    rows = list(chase.select_related("customer", "invoice").order_by("-amount_cents", "pk")[:SHOWN])
    names = {
        (plan, level): name
        for plan, level, name in Step.objects.filter(
            organisation=organisation, plan__in={row.plan_id for row in rows}
        ).values_list("plan_id", "level", "name")
    }
    alone = chase.filter(automatic=True).count()
    more = [_others(count - len(rows))] if count > len(rows) else []
    if alone:
        words = ngettext(
            "%(n)s partira sans rien faire.", "%(n)s partiront sans rien faire.", alone
        )
        more.append(words % {"n": alone})
    if not count:
        more = [_("Rien à relancer aujourd’hui.")]
    return Part(
        _("À relancer (%(n)s)") % {"n": count} if count else _("À relancer"),
        tuple(
            Row(
                row.customer.name,
                _("%(level)s · %(number)s · %(late)s")
                % {
                    "level": names.get((row.plan_id, row.level), row.level),
                    "number": row.invoice.number,
                    "late": _lateness(row.invoice.due, on),
                },
                money_words(row.amount_cents, row.currency),
                _("Voir"),
                link("customer_detail", organisation, row.customer_id),
            )
            for row in rows
        ),
        " ".join(more),
    )


def _mine(organisation: Organisation, user: User, on: date) -> QuerySet[Action]:
    return Action.objects.filter(
        Q(owners=user), organisation=organisation, status=Action.Status.OPEN, due_on__lte=on
    )


def _mine_part(organisation: Organisation, user: User, on: date) -> Part:
    mine = _mine(organisation, user, on)
    count = mine.count()
    rows = mine.select_related("customer").order_by("due_on", "pk")[:SHOWN]
    return Part(
        _("Actions qui vous attendent (%(n)s)") % {"n": count}
        if count
        else _("Actions qui vous attendent"),
        tuple(
            Row(
                row.customer.name,
                _action_words(row),
                money_words(row.amount_cents, row.currency),
                _("Traiter"),
                link("action_detail", organisation, row.pk),
            )
            for row in rows
        ),
        _others(count - SHOWN) if count else _("Aucune action ne vous attend."),
    )


def _action_words(row: Action) -> str:
    """Level, means unless the level is called after it, and since when it waits."""
    channel = str(Channel(row.channel).label)
    words = [row.level_name] if row.level_name else []
    if channel.lower() != row.level_name.lower():
        words.append(channel.lower())
    words.append(_("depuis le %(day)s") % {"day": date_words(row.due_on, _)})
    return " · ".join(words)


def _mail(
    organisation: Organisation,
    on: date,
    stop: str,
    *,
    subject: str,
    title: str,
    lead: str,
    figures: Sequence[Figure],
    parts: Sequence[Part],
    button: str,
    url: str,
    foot: str,
) -> Mail:
    return Mail(
        get_language() or "fr",
        subject,
        organisation.name,
        date_words(on, _),
        title,
        lead,
        tuple(figures),
        tuple(parts),
        button,
        url,
        foot,
        _("Ne plus le recevoir"),
        stop,
    )


def _late(totals: dict[str, ledger.Totals]) -> str:
    sums = [(currency, one.overdue.cents) for currency, one in sorted(totals.items())]
    told = [money_words(cents, currency) for currency, cents in sums if cents]
    return " + ".join(told) or money_words(0, "EUR")


def _invoices(count: int) -> str:
    return ngettext("%(n)s facture", "%(n)s factures", count) % {"n": count}


def _others(count: int) -> str:
    if count <= 0:
        return ""
    return ngettext("Et %(n)s autre.", "Et %(n)s autres.", count) % {"n": count}


def _lateness(due: date, on: date) -> str:
    days = (on - due).days
    if days <= 0:
        return _("échéance le %(day)s") % {"day": date_words(due, _)}
    return ngettext("%(n)s jour de retard", "%(n)s jours de retard", days) % {"n": days}

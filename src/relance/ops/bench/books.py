"""What years of work leave behind a large ledger, for the pages: written by a few SQL statements.

On top of `ledger.build`: customers with names that people search for, one invoice in five settled,
disputes and promises, the messages of every relance, what was last done about each invoice, open
and closed actions, contacts, chantiers and notes. The journal is no chain here: only pages read it.
"""

from django.db import connection

from relance.accounts.models import Organisation, User
from relance.dunning.models import Action, InvoiceChase, Outlook, Plan
from relance.history.models import Event
from relance.ledger.models import Contact, Dispute, Hold, Payment, Site
from relance.ops.bench.cases import MORNING
from relance.ops.bench.ledger import after_ids_of_our_own, day_plus, insert, literal, truth
from relance.outbox.models import Message, MessageInvoice

FIRST = ["Garage", "Pharmacie", "Boulangerie", "Menuiserie", "Transports", "Hotel", "Clinique",
         "Imprimerie", "Mairie", "Atelier", "Domaine", "Cinema"]  # fmt: skip
SECOND = ["Lemoine", "Delmas", "Ferrand", "Caradec", "Guivarch", "Beausejour", "Duvernay",
          "Nogaret", "Roussel", "Plomelin", "Valfleury"]  # fmt: skip


def fill(organisation: Organisation, owner: User) -> None:
    """Everything that the lists show beside customers and invoices."""
    plan = Plan.objects.get(organisation=organisation, name="Standard")
    one, sender = organisation.pk, organisation.email_from
    statements = [
        *_people(one),
        *_money(one),
        _chases(),
        _outlooks(one),
        _messages(one, plan.pk, sender),
        _message_lines(one, plan.pk),
        *_actions(one, plan.pk, owner.pk),
        _notes(one),
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        after_ids_of_our_own(cursor, "outbox_message")
        after_ids_of_our_own(cursor, "dunning_action")
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


def _pick(words: list[str], index: str) -> str:
    """SQL: one of the words by a number."""
    cases = " ".join(f"WHEN {place} THEN '{word}'" for place, word in enumerate(words))
    return f"CASE ({index}) % {len(words)} {cases} END"


def _people(one: int) -> list[str]:
    first, second = _pick(FIRST, "id"), _pick(SECOND, "id / 12")
    contact = {
        "organisation": str(one),
        "customer": "id",
        "name": f"'Mme ' || {second} || ' ' || id",
        "role": "'Comptable'",
        "email": "'compta' || id || '@client.example'",
        "phone": "'02 98 ' || id",
        "search": f"lower('mme ' || {second} || ' ' || id || ' compta' || id || ' client example')",
    }
    site = {
        "organisation": str(one),
        "customer": "id",
        "name": f"'Chantier ' || {second} || ' ' || id",
        "search": f"lower('chantier ' || {second} || ' ' || id)",
    }
    return [
        f"UPDATE ledger_customer SET name = {first} || ' ' || {second} || ' ' || id",  # noqa: S608
        "UPDATE ledger_customer SET search = lower(name) || ' ' || lower(code)",
        insert(Contact, contact, "FROM ledger_customer"),
        insert(Site, site, "FROM ledger_customer WHERE id % 10 = 0"),
    ]


def _money(one: int) -> list[str]:
    yes = truth(True)
    paid_on, kept_until = day_plus("due", "-3"), day_plus(literal(MORNING), "id % 20 - 5")
    settled = f"id % 5 = 0 AND {paid_on} < {literal(MORNING)}"
    disputed, promised = (
        f"id % {every} = {rest} AND balance_cents > 0" for every, rest in ((211, 1), (307, 2))
    )
    payment = {
        "organisation": str(one),
        "invoice": "id",
        "on": paid_on,
        "amount_cents": "total_cents",
    }
    dispute = {"organisation": str(one), "invoice": "id", "opened_on": "due"}
    promise = {
        "organisation": str(one),
        "kind": "'promise'",
        "customer": "customer_id",
        "invoice": "id",
        "made_on": day_plus(literal(MORNING), "-9"),
        "until": kept_until,
    }
    table = "FROM ledger_invoice WHERE"
    change = "UPDATE ledger_invoice SET"
    return [
        insert(Payment, payment, f"{table} {settled}"),
        f"{change} balance_cents = 0 WHERE {settled}",
        insert(Dispute, dispute, f"{table} {disputed}"),
        f"{change} disputed = {yes} WHERE {disputed}",
        insert(Hold, promise, f"{table} {promised}"),
        f"{change} promise_until = {kept_until} WHERE {promised}",
    ]


def _chases() -> str:
    values = {
        "organisation": "organisation_id",
        "invoice": "reference_id",
        "level": "MAX(level)",
        "level_name": "'Niveau ' || MAX(level)",
        "last_on": 'MAX("on")',
    }
    return insert(
        InvoiceChase,
        values,
        "FROM dunning_entry WHERE reference_id IS NOT NULL GROUP BY organisation_id, reference_id",
    )


def _outlooks(one: int) -> str:
    """Next steps over the two months to come, as on an ordinary morning."""
    values = {
        "organisation": str(one),
        "customer": "id",
        "on": literal(MORNING),
        "state": "'waiting'",
        "next_on": day_plus(literal(MORNING), "1 + id % 60"),
        "next_level": "1 + id % 5",
        "next_automatic": f"CASE WHEN id % 5 = 4 THEN {truth(False)} ELSE {truth(True)} END",
        "owed_cents": _owed(""),
        "overdue_cents": _owed(f"AND v.due < {literal(MORNING)}"),
    }
    return insert(Outlook, values, "FROM ledger_customer")


def _owed(which: str) -> str:
    """SQL: what a customer owes, of these invoices `v`."""
    mine = f"v.customer_id = ledger_customer.id AND v.balance_cents > 0 {which}"
    return f"(SELECT COALESCE(SUM(v.balance_cents), 0) FROM ledger_invoice v WHERE {mine})"  # noqa: S608 - constants


def _messages(one: int, plan: int, sender: str) -> str:
    """What has left: one message for every relance of the history, in the order of its day."""
    moment = "datetime(e.\"on\", '07:30')"
    if connection.vendor == "postgresql":
        moment = "(e.\"on\" + time '07:30') AT TIME ZONE 'UTC'"
    values = {
        "id": "e.id",
        "organisation": str(one),
        "customer": "e.customer_id",
        "status": "CASE WHEN e.id % 997 = 0 THEN 'failed' ELSE 'sent' END",
        "automatic": truth(True),
        "on": 'e."on"',
        "not_before": moment,
        "plan_id": str(plan),
        "reference_id": "e.reference_id",
        "level": "e.level",
        "level_name": "'Niveau ' || e.level",
        "amount_cents": "i.total_cents",
        "sender": f"'{sender}'",
        "recipients": "'[\"c@client.example\"]'",
        "subject": "'Votre facture ' || i.number || ', rappel ' || e.level",
        "text": "'Bonjour'",
        "message_ref": "'<' || e.id || '@mesures.example>'",
        "made_at": moment,
        "attempts": "1",
        "sent_at": moment,
        "ended_at": moment,
        "recorded": truth(True),
    }
    return insert(
        Message,
        values,
        "FROM dunning_entry e JOIN ledger_invoice i ON i.id = e.reference_id "
        "WHERE e.channel = 'email'",
    )


def _message_lines(one: int, plan: int) -> str:
    values = {
        "organisation": str(one),
        "message": "id",
        "invoice": "reference_id",
        "amount_cents": "amount_cents",
        "carrier": truth(True),
        "plan_id": str(plan),
        "level": "level",
    }
    return insert(MessageInvoice, values, "FROM outbox_message")


def _actions(one: int, plan: int, owner: int) -> list[str]:
    """A call in ten is open, the others were made; each belongs to somebody."""
    values = {
        "organisation": str(one),
        "customer": "e.customer_id",
        "plan": str(plan),
        "reference": "e.reference_id",
        "currency": "'EUR'",
        "level": "e.level",
        "level_name": "'Appel'",
        "channel": "'call'",
        "due_on": 'e."on"',
        "amount_cents": "i.total_cents",
        "invoice_count": "5",
        "status": "CASE WHEN e.id % 10 = 0 THEN 'open' ELSE 'done' END",
        "closed_on": 'CASE WHEN e.id % 10 = 0 THEN NULL ELSE e."on" END',
    }
    owners = f"SELECT id, {owner} FROM dunning_action"  # noqa: S608
    return [
        insert(
            Action,
            values,
            "FROM dunning_entry e JOIN ledger_invoice i ON i.id = e.reference_id "
            "WHERE e.channel = 'call'",
        ),
        f"INSERT INTO dunning_action_owners (action_id, user_id) {owners}",
    ]


def _notes(one: int) -> str:
    """A note about one customer in twenty."""
    json = "jsonb" if connection.vendor == "postgresql" else "text"
    text = "'{\"text\": \"Rappeler apres le 15, dossier ' || id || '\"}'"
    values = {
        "organisation": str(one),
        "seq": "id / 20",
        "at": "'2026-11-20 09:00:00+00:00'",
        "on": "'2026-11-20'",
        "kind": "'note'",
        "actor_name": "'Camille'",
        "customer_id": "id",
        "data": f"CAST({text} AS {json})",
    }
    return insert(Event, values, "FROM ledger_customer WHERE id % 20 = 0")

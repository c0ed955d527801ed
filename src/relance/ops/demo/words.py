"""The company, its plans and the words of its messages: a courteous accountant writes."""

from typing import NamedTuple

COMPANY = "Ateliers Kerdoncuff"
FROM = "relances@kerdoncuff.example"
REPLY_TO = "comptabilite@kerdoncuff.example"
SIGNATURE = "Camille Le Goff, Ateliers Kerdoncuff"
ADDRESS = "12 quai de l’Odet\n29000 Quimper"
IBAN = "FR76 3000 6000 0112 3456 7890 189"
PASSWORD = "kerdoncuff"  # noqa: S105 - told to everybody who starts the demonstration


class Person(NamedTuple):
    key: str
    name: str
    email: str
    role: str


PEOPLE = (
    Person("camille", "Camille Le Goff", "c.legoff@kerdoncuff.example", "ADMIN"),
    Person("yann", "Yann Riou", "y.riou@kerdoncuff.example", "ACCOUNT_MANAGER"),
    Person("maelle", "Maëlle Tanguy", "m.tanguy@kerdoncuff.example", "READ"),
)


class Words(NamedTuple):
    key: str
    name: str
    channel: str
    subject: str
    body: str


TEMPLATES = (
    Words(
        "notice",
        "Préavis",
        "email",
        "Échéance du {{ facture.echeance }} : facture {{ facture.numero }}",
        """Bonjour,

Nous vous rappelons simplement l’échéance prochaine de votre facture :

{{ tableau_factures }}

Si votre règlement est déjà en route, ce message est sans objet. Si une question reste ouverte, \
répondez-nous : nous préférons la régler avant l’échéance.

Bien cordialement,
{{ signature }}""",
    ),
    Words(
        "reminder",
        "Rappel courtois",
        "email",
        "Vos factures échues, {{ montant }}",
        """Bonjour,

Sauf erreur de notre part, la somme ci-dessous reste impayée à ce jour :

{{ tableau_factures }}

Merci de procéder au règlement par virement (IBAN {{ entreprise.iban }}), ou de nous indiquer une \
date. Si votre paiement vient de partir, ce message est sans objet.

Bien cordialement,
{{ signature }}""",
    ),
    Words(
        "firm",
        "Rappel ferme",
        "email",
        "Dernier rappel : {{ montant }} restent dus",
        """Bonjour,

Malgré notre message du {{ derniere_relance }}, nous n’avons pas reçu le règlement suivant, en \
retard de {{ retard }} jours :

{{ tableau_factures }}

Nous vous remercions d’y procéder sous huit jours. Si une difficulté ou un désaccord l’empêche, \
dites-le-nous : nous chercherons une solution avec vous.

Bien cordialement,
{{ signature }}""",
    ),
    Words(
        "call",
        "Trame d’appel",
        "call",
        "",
        """Client : {{ client.nom }}. À régler : {{ montant }}, en retard de {{ retard }} jours.

{{ tableau_factures }}

1. A-t-on reçu nos messages, et les factures sont-elles validées ?
2. Y a-t-il un désaccord ? Le noter comme litige, facture par facture.
3. Sinon, quelle date de règlement ? La noter comme promesse.""",
    ),
    Words(
        "notice_letter",
        "Mise en demeure",
        "registered_letter",
        "Mise en demeure de payer",
        """Madame, Monsieur,

Malgré nos rappels, les factures suivantes restent impayées à ce jour :

{{ tableau_factures }}

Par la présente, nous vous mettons en demeure de nous régler la totalité de cette somme au plus \
tard le {{ date_limite }}, par virement sur le compte {{ entreprise.iban }}. À défaut, nous serons \
contraints d’en poursuivre le recouvrement en justice.

Nous restons disposés à convenir avec vous d’un échéancier si vous nous le demandez sans attendre.

Veuillez agréer, Madame, Monsieur, nos salutations distinguées.

{{ signature }}""",
    ),
)


LETTERS_TOO = ("reminder", "firm")
"""Templates that exist as letters as well: the method « Courrier » takes the one of that name."""

CAMPAIGN = Words(
    "campaign",
    "Factures par e-mail",
    "email",
    "Vos factures arrivent désormais par e-mail",
    """Bonjour,

Nos factures vous parviennent désormais par e-mail, en PDF, à l’adresse qui reçoit ce message.

Si une autre personne doit les recevoir chez {{ client.nom }}, il suffit de nous répondre : nous \
mettrons votre fiche à jour.

Bien cordialement,
{{ signature }}""",
)
YEAR_END = Words(
    "year_end",
    "Point de fin d’année",
    "email",
    "Votre compte chez {{ entreprise.nom }} : {{ montant }} à régler",
    """Bonjour,

Avant de clore l’année, voici ce qui reste à régler sur votre compte :

{{ tableau_factures }}

Si un point reste à éclaircir, appelez-nous : nous le regarderons ensemble.

Bien cordialement,
{{ signature }}""",
)
LOT, LETTERS = "Second rappel\u00a0(2)", "Second rappel\u00a0(2), par courrier"


class RuleWords(NamedTuple):
    """A rule that gives a plan; conditions are (field, op, value), and all must hold."""

    plan: str
    conditions: tuple[tuple[str, str, object], ...]


RULES = (
    RuleWords("accounts", (("regime", "is", "public"),)),
    RuleWords(
        "accounts", (("name", "contains", ["clinique", "pharmacie", "santé", "lycée", "syndic"]),)
    ),
    RuleWords("standard", ()),
)
"""They give what `Client.plan` says; « Par facture » and no plan at all are given by hand."""

VIEWS = (
    ("dashboard", "Plus de 30 jours", "age=d31_60"),
    ("dashboard", "Litiges à suivre", "etat=litiges"),
)
"""Camille’s own views, as (list, name, filters)."""

NOTES = (
    (
        "yann",
        "Imprimerie Duvernay",
        "@Camille le bon de livraison signé est retrouvé\u00a0: le litige peut se lever.",
    ),
    (
        "yann",
        "Hôtel Beauséjour",
        "Mme Abgrall règle l’aile nord à la fin du mois, une fois le restaurant réceptionné.",
    ),
    ("camille", "Roussel BTP", "Standard appelé\u00a0: nouvelle adresse promise pour demain."),
)
"""Notes as (author, client, text)."""


class Level(NamedTuple):
    name: str
    days: int
    channel: str
    automatic: bool
    template: str


class PlanWords(NamedTuple):
    key: str
    name: str
    scope: str
    progression: str
    grouping: str
    levels: tuple[Level, ...]


PLANS = (
    PlanWords(
        "standard",
        "Standard",
        "customer",
        "sequence",
        "none",
        (
            Level("Préavis", -3, "email", True, "notice"),
            Level("Second rappel", 7, "email", True, "reminder"),
            Level("Dernier rappel", 10, "email", True, "firm"),
            Level("Appel", 20, "call", False, "call"),
            Level("Mise en demeure", 28, "registered_letter", False, "notice_letter"),
        ),
    ),
    PlanWords(
        "accounts",
        "Grands comptes",
        "customer",
        "sequence",
        "none",
        (
            Level("Préavis", -3, "email", True, "notice"),
            Level("Second rappel", 7, "email", False, "reminder"),
            Level("Dernier rappel", 15, "email", False, "firm"),
            Level("Appel", 25, "call", False, "call"),
            Level("Mise en demeure", 40, "registered_letter", False, "notice_letter"),
        ),
    ),
    PlanWords(
        "invoice",
        "Par facture",
        "invoice",
        "age",
        "customer",
        (
            Level("Rappel", 5, "email", True, "reminder"),
            Level("Second rappel", 15, "email", True, "firm"),
            Level("Appel", 30, "call", False, "call"),
            Level("Mise en demeure", 45, "registered_letter", False, "notice_letter"),
        ),
    ),
)

CALL_NOTES = (
    "Message laissé sur le répondeur.",
    "Comptable absente, rappellera demain.",
    "Facture validée, règlement au prochain passage.",
    "Renvoyé la facture par e-mail à la demande du client.",
    "Règlement annoncé pour la fin du mois.",
)
DISPUTES = (
    ("Quantité", "Une caisse manquait à la livraison."),
    ("Prix", "Le tarif facturé n’est pas celui du devis."),
    ("Qualité", "Une porte est à reprendre."),
)
WORKS = (
    "Agencement sur mesure",
    "Fourniture et pose de menuiseries",
    "Comptoir en chêne massif",
    "Rayonnages et présentoirs",
    "Réfection de parquet",
    "Entretien annuel des menuiseries",
    "Habillage mural, panneaux acoustiques",
    "Mobilier d’accueil",
)

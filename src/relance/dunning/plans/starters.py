"""The first templates and the standard plan, offered to an organisation that has none.

The words are those of a courteous accountant: no threat, no fee, the invoices and the way out.
"""

from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction

from relance.accounts.models import Organisation, User
from relance.dunning.models import Channel, Plan, Template
from relance.dunning.services.plans import StepValues, save_plan, save_template


class Starter(NamedTuple):
    """One level: its words and its place in the standard plan."""

    name: str
    days: int
    channel: str
    automatic: bool
    subject: str
    body: str


_CLOSE = "\n\nBien cordialement,\n{{ signature }}\n{{ entreprise.nom }}"

STARTERS = (
    Starter(
        "Préavis",
        -3,
        Channel.EMAIL,
        True,
        "Votre facture {{ facture.numero }} arrive à échéance",
        "Bonjour,\n\nNous vous rappelons que la facture ci-dessous arrive à échéance le "
        "{{ facture.echeance }}.\n\n{{ tableau_factures }}\n\nSi son règlement est déjà prévu, "
        "ce message est sans objet. Une question sur cette facture ? Répondez simplement à cet "
        "e-mail." + _CLOSE,
    ),
    Starter(
        "Premier rappel",
        7,
        Channel.EMAIL,
        True,
        "Vos factures échues, {{ montant }}",
        "Bonjour,\n\nSauf erreur de notre part, les factures ci-dessous restent impayées à ce "
        "jour.\n\n{{ tableau_factures }}\n\nMerci de procéder au règlement par virement, ou de "
        "nous indiquer une date. Si votre paiement vient de partir, ce message est sans objet."
        + _CLOSE,
    ),
    Starter(
        "Second rappel",
        15,
        Channel.EMAIL,
        True,
        "Second rappel : {{ montant }} en attente de règlement",
        "Bonjour,\n\nMalgré notre message du {{ derniere_relance }}, nous n’avons pas reçu le "
        "règlement des factures ci-dessous, en retard de {{ retard }} jours pour la plus "
        "ancienne.\n\n{{ tableau_factures }}\n\nMerci de nous dire sous quelques jours quand ce "
        "règlement interviendra. Si quelque chose le retient, dites-le-nous : nous chercherons "
        "une solution ensemble." + _CLOSE,
    ),
    Starter(
        "Appel",
        22,
        Channel.CALL,
        False,
        "",
        "Rappeler les factures {{ factures }} ({{ montant }}), demander une date de règlement et "
        "la noter. S’il y a un désaccord, ouvrir un litige sur la facture concernée.",
    ),
    Starter(
        "Dernier rappel",
        30,
        Channel.EMAIL,
        False,
        "Dernier rappel avant mise en demeure, {{ montant }}",
        "Bonjour,\n\nNos messages précédents sont restés sans réponse et la somme de "
        "{{ montant }} reste due.\n\n{{ tableau_factures }}\n\nSans règlement ni nouvelle de "
        "votre part sous huit jours, nous vous adresserons une mise en demeure. Nous préférons "
        "de loin trouver un arrangement : appelez-nous ou répondez à ce message." + _CLOSE,
    ),
    Starter(
        "Mise en demeure",
        40,
        Channel.REGISTERED_LETTER,
        False,
        "Mise en demeure de payer",
        "Madame, Monsieur,\n\nMalgré nos rappels, les factures suivantes demeurent impayées."
        "\n\n{{ tableau_factures }}\n\nPar la présente, nous vous mettons en demeure de nous "
        "régler la totalité de cette somme au plus tard le {{ date_limite }}, par virement sur le "
        "compte {{ entreprise.iban }}, en rappelant leurs numéros.\n\nÀ défaut de "
        "règlement à cette date, nous saisirons la juridiction compétente pour obtenir le "
        "paiement des sommes dues, sans nouvel avis de notre part.\n\nVeuillez agréer, Madame, "
        "Monsieur, l’expression de nos salutations distinguées.\n\n{{ signature }}\n"
        "{{ entreprise.nom }}",
    ),
)


@transaction.atomic
def begin(organisation: Organisation, *, actor: User, on: date, now: datetime) -> Plan:
    """Create the starter templates and the plan Standard that uses them.

    A template that exists already under its name is kept as it is; so is a default plan.
    """
    steps = []
    for starter in STARTERS:
        template = Template.objects.filter(
            organisation=organisation, name=starter.name, channel=starter.channel
        ).first()
        if template is None:
            template = save_template(
                Template(
                    organisation=organisation,
                    name=starter.name,
                    channel=starter.channel,
                    subject=starter.subject,
                    body=starter.body,
                ),
                actor=actor,
                on=on,
                now=now,
            )
        steps.append(
            StepValues(
                name=starter.name,
                anchor="due",
                days=starter.days,
                channel=starter.channel,
                automatic=starter.automatic,
                repeat_every=None,
                template_id=template.pk,
            )
        )
    first = not Plan.objects.filter(organisation=organisation, is_default=True).exists()
    plan = Plan(organisation=organisation, name="Standard", is_default=first)
    return save_plan(plan, steps=steps, actor=actor, on=on, now=now)

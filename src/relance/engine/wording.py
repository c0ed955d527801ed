"""Every reason as a French sentence, and what to do about it (section 5, S3-26): plain words, no jargon.

The texts are gettext source strings: ``translate`` may be a gettext function; facts are filled in afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from relance.engine.model import Action, Carrier, Decision, Fact, Reason

Translate = Callable[[str], str]


def _(text: str) -> str:
    """Mark a gettext source string; it is translated when shown."""
    return text


NBSP: Final = "\u00a0"
NNBSP: Final = "\u202f"
MINUS: Final = "\u2212"
MONTHS: Final = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
SYMBOLS: Final = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF"}
AMOUNTS: Final = frozenset({"balance", "credits", "minimum", "tolerance", "amount"})
CHANNELS: Final = {
    "email": _("e-mail"),
    "letter": _("courrier"),
    "registered_letter": _("lettre recommandée"),
    "sms": _("SMS"),
    "call": _("appel"),
    "task": _("tâche interne"),
}
MODES: Final = {
    "direct_debit": _("prélèvement"),
    "transfer": _("virement"),
    "card": _("carte bancaire"),
    "cheque": _("chèque"),
    "cash": _("espèces"),
}

SENTENCES: Final[dict[str, str]] = {
    "EXCLUDED": _("Ce client est exclu des relances."),
    "NO_PLAN": _("Aucun plan de relance n’est affecté à ce client."),
    "EMPTY_PLAN": _("Le plan «\u00a0{plan}\u00a0» ne contient aucun niveau."),
    "PLAN_PAUSED": _("Le plan «\u00a0{plan}\u00a0» est en pause."),
    "NO_OPEN_INVOICE": _("Ce client n’a aucune facture à régler."),
    "NOTHING_CHASEABLE": _("Ce client a des factures ouvertes, mais aucune ne peut être relancée aujourd’hui."),
    "CUSTOMER_ON_HOLD": _("Les relances de ce client sont suspendues jusqu’au {until} inclus."),
    "BALANCE_NOT_POSITIVE": _(
        "Il n’y a rien à réclamer\u00a0: {balance} de factures à relancer, {credits} de règlements"
        " ou d’avoirs non affectés."
    ),
    "BELOW_MINIMUM": _("Le solde à relancer ({balance}) est inférieur au minimum du plan ({minimum})."),
    "NOT_YET_TRIGGERED": _("Le niveau {level} «\u00a0{name}\u00a0» est prévu le {until}."),
    "MIN_CONTACT_DELAY": _(
        "Le niveau {level} «\u00a0{name}\u00a0» est prêt depuis le {trigger}, mais le client a été"
        " contacté le {contact}\u00a0: il pourra être relancé à partir du {until}."
    ),
    "NOT_A_WORKING_DAY": _("Le niveau {level} «\u00a0{name}\u00a0» partira le {until}, prochain jour ouvré."),
    "PENDING_MANUAL": _(
        "Une action attend d’être faite à la main depuis le {since}\u00a0: niveau {level}"
        " «\u00a0{name}\u00a0» ({channel})."
    ),
    "NO_RECIPIENT": _(
        "Le niveau {level} «\u00a0{name}\u00a0» ({channel}) ne peut pas partir\u00a0: aucun destinataire"
        " utilisable pour ce mode d’envoi."
    ),
    "NO_TEMPLATE": _(
        "Le niveau {level} «\u00a0{name}\u00a0» ({channel}) ne peut pas partir\u00a0: il n’a pas de modèle"
        " pour ce mode d’envoi."
    ),
    "END_OF_PLAN": _("Tous les niveaux du plan sont passés (niveau atteint\u00a0: {level})."),
    "NOT_ISSUED": _("Cette facture sera émise le {issued}."),
    "SETTLED": _("Cette facture est réglée."),
    "PLAN_OFF": _("Le plan de relance est désactivé pour cette facture."),
    "DISPUTED": _("Cette facture fait l’objet d’un litige."),
    "PROMISED": _("Le client a promis de régler cette facture au plus tard le {until}."),
    "INVOICE_ON_HOLD": _("Cette facture est mise en attente jusqu’au {until} inclus."),
    "BY_HAND_MODE": _("Cette facture se règle par {mode}\u00a0: ce mode de paiement ne se relance qu’à la main."),
    "BEFORE_JUDGMENT": _(
        "Cette facture, émise le {issued}, est antérieure au jugement du {judgment_on} qui a ouvert une"
        " procédure collective\u00a0: la loi interdit d’en demander le paiement."
    ),
    "REPLACED": _("Une autre étape a pris le relais."),
    "NOTHING_MISSING": _("Aucun justificatif ne manque sur cette période."),
    "NO_ELIGIBLE_RECIPIENT": _(
        "Aucun utilisateur du client ne peut recevoir la demande de justificatifs ({count} à fournir)."
    ),
    "SENDING_OFF": _("Les envois sont arrêtés pour toute l’organisation."),
    "DATA_TOO_OLD": _(
        "Le dernier import date du {fed_on}, il y a {days}\u00a0jours\u00a0: des règlements reçus depuis manquent"
        " peut-être."
    ),
    "OUTSIDE_HOURS": _("Les relances partent à l’heure choisie par l’organisation."),
    "QUIET_HOURS": _("Les SMS ne partent que de 8\u00a0h à 20\u00a0h, les jours ouvrés."),
    "NO_PROVIDER": _("Aucun prestataire n’est raccordé pour ce canal."),
}

ADVICE: Final[dict[str, str]] = {
    "EXCLUDED": _("Pour le relancer de nouveau, levez l’exclusion sur sa fiche."),
    "NO_PLAN": _("Affectez-lui un plan actif, ou écrivez-lui par une campagne."),
    "EMPTY_PLAN": _("Ajoutez des niveaux au plan, ou affectez-en un autre à ce client."),
    "PLAN_PAUSED": _("Réactivez le plan quand vous souhaitez reprendre."),
    "NO_OPEN_INVOICE": _("Rien à faire. Pour lui écrire malgré tout, utilisez une campagne."),
    "NOTHING_CHASEABLE": _("La raison est indiquée en face de chaque facture."),
    "CUSTOMER_ON_HOLD": _("Elles reprendront le lendemain, ou dès que vous lèverez la suspension."),
    "BALANCE_NOT_POSITIVE": _("Affectez ces règlements et ces avoirs aux factures concernées."),
    "BELOW_MINIMUM": _("La relance partira quand le solde atteindra ce minimum, modifiable dans le plan."),
    "NOT_YET_TRIGGERED": _("Rien à faire. Vous pouvez relancer le client avant cette date si vous le souhaitez."),
    "MIN_CONTACT_DELAY": _(
        "Rien à faire. Pour aller plus vite, écartez les niveaux du plan ou réduisez le délai minimum de contact."
    ),
    "NOT_A_WORKING_DAY": _("Rien à faire\u00a0: les envois automatiques attendent les jours ouvrés."),
    "PENDING_MANUAL": _("Faites l’action, ou ignorez-la pour passer au niveau suivant."),
    "NO_RECIPIENT": _("Complétez les contacts du client, ou contactez-le autrement et marquez-le comme déjà relancé."),
    "NO_TEMPLATE": _("Rédigez le modèle de ce niveau, ou relancez à la main."),
    "END_OF_PLAN": _("À vous de choisir la suite\u00a0: appel, mise en demeure, dossier à transmettre."),
    "NOT_ISSUED": _("Rien à faire avant cette date."),
    "SETTLED": _("Rien à faire."),
    "PLAN_OFF": _("Cochez «\u00a0Plan de relance activé\u00a0» sur la facture pour reprendre."),
    "DISPUTED": _("Clôturez le litige pour reprendre les relances."),
    "PROMISED": _("Les relances reprendront le lendemain si elle n’est pas réglée."),
    "INVOICE_ON_HOLD": _("Les relances reprendront le lendemain, ou dès que vous lèverez l’attente."),
    "BY_HAND_MODE": _("Relancez-la vous-même, ou changez son mode de paiement."),
    "BEFORE_JUDGMENT": _("Déclarez votre créance auprès du mandataire judiciaire."),
    "REPLACED": _("Rien à faire."),
    "NOTHING_MISSING": _("Rien à faire."),
    "NO_ELIGIBLE_RECIPIENT": _(
        "Donnez à l’un d’eux l’accès aux documents (collecte) et le niveau R2 sur la Banque, puis activez ses e-mails."
    ),
    "SENDING_OFF": _("Remettez les envois en marche dans les paramètres."),
    "DATA_TOO_OLD": _("Importez un fichier récent pour que les relances repartent."),
    "OUTSIDE_HOURS": _("Rien à faire\u00a0: l’envoi se fera à cette heure."),
    "QUIET_HOURS": _("Rien à faire\u00a0: il partira à 8\u00a0h, le prochain jour ouvré."),
    "NO_PROVIDER": _("Raccordez un prestataire dans Paramètres, Canaux."),
}


def sentence(reason: Reason, translate: Translate = str) -> str:
    """Why, in one French sentence with its dates, amounts and names. Pure text, to be escaped by the page."""
    return translate(SENTENCES[reason.code]).format_map(_Words(reason, translate))


def advice(reason: Reason, translate: Translate = str) -> str:
    """What to do about it, in one French sentence."""
    return translate(ADVICE[reason.code])


def carrier_reason(carrier: Carrier) -> Reason | None:
    """Why the next step of a carrier does not leave by itself today; None when it does (section 5)."""
    if not carrier.code:
        return None
    invoice = carrier.reference.id
    step, until = carrier.step, None if carrier.acts else carrier.leaves
    if step is None:
        return Reason("END_OF_PLAN", {"level": carrier.reached}, None, invoice)
    facts: dict[str, Fact] = {"level": step.level, "name": step.name, "channel": step.channel}
    dates = {
        "trigger": carrier.trigger,
        "contact": carrier.contact,
        "since": carrier.wanted if carrier.acts else None,
        "earliest": carrier.earliest,
    }
    facts.update({key: day for key, day in dates.items() if day is not None})
    return Reason(carrier.code, facts, until, invoice)


def action_reason(action: Action) -> Reason | None:
    """Why a wanted action is left to a person; None when it leaves by itself."""
    if action.automatic:
        return None
    code = action.reason.code if action.reason else "PENDING_MANUAL"
    facts: dict[str, Fact] = {
        "level": action.level,
        "name": action.name,
        "channel": action.channel,
        "since": action.since,
    }
    return Reason(code, facts, None, action.reference)


def all_reasons(decision: Decision) -> tuple[Reason, ...]:
    """Every reason of a decision: customer and currency, then carriers, then invoices that are not chaseable."""
    carriers = (carrier_reason(carrier) for carrier in decision.carriers)
    return (*decision.reasons, *(reason for reason in carriers if reason), *decision.invoice_reasons)


def date_words(day: date, translate: Translate = str) -> str:
    """``1er mai 2025``, ``12 mars 2025``; in another language the month in its words and no ordinal."""
    french = MONTHS[day.month - 1]
    month = translate(french)
    number = "1er" if day.day == 1 and month == french else str(day.day)
    return f"{number}{NBSP}{month}{NBSP}{day.year}"


def money_words(cents: int, currency: str) -> str:
    """``1 234,50 €`` in French typography, from integer cents."""
    units, rest = divmod(abs(cents), 100)
    figure = f"{units:,}".replace(",", NNBSP)
    return f"{MINUS if cents < 0 else ''}{figure},{rest:02d}{NBSP}{SYMBOLS.get(currency, currency)}"


def sums_words(sums: Mapping[str, int]) -> str:
    """``12,00 € + 357,77 CAD``: cents by currency, never added to one another; euros first."""
    known = {currency: cents for currency, cents in sums.items() if cents} or {"EUR": 0}
    order = sorted(known, key=lambda currency: (currency != "EUR", currency))
    return " + ".join(money_words(known[currency], currency) for currency in order)


class _Words(dict[str, str]):
    """The facts of a reason as words, made only when a sentence asks for them."""

    def __init__(self, reason: Reason, translate: Translate) -> None:
        super().__init__()
        self._facts: dict[str, Fact | None] = {"until": reason.until, **reason.facts}
        self._translate = translate

    def __missing__(self, key: str) -> str:
        value = self._facts.get(key)
        if value is None:
            return "—"
        if isinstance(value, date):
            return date_words(value, self._translate)
        if key in AMOUNTS and isinstance(value, int):
            return money_words(value, str(self._facts.get("currency", "EUR")))
        if key == "channel":
            return self._translate(CHANNELS.get(str(value), str(value)))
        if key == "mode":
            return self._translate(MODES.get(str(value), str(value)))
        return str(value)

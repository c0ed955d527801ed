"""The fields a file of invoices or customers can give, and the headers they hide under.

Synonyms are compared without accents, case or punctuation (`text.fold`), so "N° facture"
and "n facture" are one. The list is general knowledge of French and English exports.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

from relance.formats.text import fold

Subject = Literal["invoices", "customers"]
Kind = Literal["text", "date", "amount", "email", "number"]


class Field(NamedTuple):
    """A field of the catalogue: code, French label, kind of value, headers, whom it serves."""

    code: str
    label: str
    kind: Kind
    synonyms: tuple[str, ...]
    subjects: tuple[Subject, ...] = ("invoices", "customers")
    limit: int = 200


_INVOICES: tuple[Subject, ...] = ("invoices",)
_CUSTOMERS: tuple[Subject, ...] = ("customers",)


def _headers(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", " ").split("|"))


CATALOGUE: tuple[Field, ...] = (
    Field("number", "Numéro de facture", "text", _headers(
        """N° facture|Numéro|Numéro de facture|N° de facture|Facture|N° pièce|Numéro de pièce|
        N° de pièce|Pièce|Référence|Réf|Réf facture|Référence facture|Référence pièce|N° document|
        Numéro document|N°|Num|Num facture|No facture|Facture n°|Libellé pièce|invoiceNumber|
        Invoice number|Invoice no|Invoice|Invoice id|Invoice #|Number|Document number|doc_id|
        Doc no|Document no|Voucher|Bill number|Ref|Reference|PieceRef"""), _INVOICES, 80),
    Field("customer_name", "Nom du client", "text", _headers(
        """Client|Nom du client|Nom client|Tiers|Nom du tiers|Nom tiers|Raison sociale|Intitulé|
        Intitulé du tiers|Intitulé client|Société|Nom|Dénomination|Dénomination sociale|Débiteur|
        Entreprise|Nom de la société|Nom société|Libellé client|Libellé tiers|Destinataire|
        Payeur|name_customer|customerName|Customer|Customer name|Name|Company|Company name|
        Client name|Debtor|Debtor name|Buyer|Account name|CompAuxLib|NOME_CLIENTE|Cliente""")),
    Field("customer_code", "Code du client", "text", _headers(
        """Code client|Code tiers|N° client|Numéro client|N° tiers|Numéro de client|
        Identifiant client|Id client|Réf client|Référence client|Compte|Compte client|
        Compte auxiliaire|Compte tiers|Code comptable|Code auxiliaire|N° compte|Numéro de compte|
        Auxiliaire|Code|Matricule|customerID|Customer id|Customer no|Customer number|customerNo|
        cust_number|Customer code|Client id|Client code|Client number|Account|Account number|
        Account id|companyId|CompAuxNum|ID_CLIENTE|Kundennummer"""), limit=60),
    Field("issue_on", "Date de facture", "date", _headers(
        """Date facture|Date de facture|Date de la facture|Date de facturation|Date facturation|
        Date pièce|Date de pièce|Date d'émission|Date émission|Émise le|Émis le|Facturé le|
        Date document|Date du document|Date comptable|Date écriture|InvoiceDate|Invoice date|
        Issue date|issueDate|Issue|Issued|Issued on|Document date|Doc date|posting_date|
        Posting date|Created|Date issued|PieceDate|DATA_EMISSAO_DOCUMENTO|Data emissao|Date|
        document_create_date|Billing date"""), _INVOICES),
    Field("due_on", "Échéance", "date", _headers(
        """Échéance|Date d'échéance|Date échéance|Éch|Date éch|Échéance le|Échoit le|À payer le|
        À régler le|À payer avant le|Date limite de paiement|Date limite de règlement|
        Date de paiement prévue|Date exigibilité|Date d'exigibilité|DueDate|Due date|Due|Due on|
        due_in_date|Deadline|Payment due|Payment due date|Maturity|Maturity date|
        DATA_VENCIMENTO|Vencimento|Fälligkeit"""), _INVOICES),
    Field("total", "Total TTC", "amount", _headers(
        """Total TTC|Montant TTC|Montant|Total|Montant total|Montant facture|Montant de la facture|
        Montant initial|Montant dû initial|Montant facturé|Total facture|Débit|TTC|Net à payer|
        Montant EUR|Montant en euros|Montant TTC EUR|Total TTC EUR|Total TTC (€)|Montant TTC (€)|
        InvoiceAmount|Invoice amount|Amount|Total amount|Gross amount|Amount incl VAT|Gross|
        Total incl tax|total_open_amount|converted_usd|VALOR_A_PAGAR|Valor|Betrag"""), _INVOICES),
    Field("left", "Reste à payer", "amount", _headers(
        """Reste à payer|Restant dû|Reste dû|Solde|Solde TTC|Solde dû|Montant dû|Montant restant|
        Montant restant dû|Reste à régler|Restant à payer|Restant|Reste|À payer|Impayé|
        Montant impayé|Montant ouvert|Encours|Reliquat|Montant échu|Balance|Outstanding|
        Outstanding amount|Amount due|Open amount|Amount outstanding|Open balance|Balance due|
        Amount remaining|Remaining|remaining_amount|remaining_amount_with_tax|Left to pay|
        Amount open"""), _INVOICES),
    Field("paid", "Montant réglé", "amount", _headers(
        """Réglé|Payé|Encaissé|Acompte|Montant réglé|Montant payé|Montant encaissé|Total réglé|
        Total payé|Règlement|Règlements|Paiement|Paiements|Déjà réglé|Déjà payé|Crédit|Versé|
        Acomptes versés|Amount paid|Paid amount|Paid|Payments|Received|Amount received|
        Total paid|closed|Statut paiement|Statut de paiement|État du paiement|Soldée|Statut|
        État|Status|Payment status"""), _INVOICES),
    Field("paid_on", "Date de règlement", "date", _headers(
        """Date de règlement|Date règlement|Date du règlement|Date de paiement|Date paiement|
        Date du paiement|Payé le|Payée le|Réglé le|Réglée le|Date encaissement|
        Date d'encaissement|Encaissé le|Soldée le|Date de solde|SettledDate|Settled date|Settled|
        Paid on|Paid date|Payment date|payedDate|paidDate|clear_date|Clearing date|Date paid|
        DATA_PAGAMENTO|Data pagamento|DateRglt"""), _INVOICES),
    Field("mode", "Mode de règlement", "text", _headers(
        """Mode de règlement|Mode de paiement|Mode règlement|Mode paiement|Moyen de paiement|
        Moyen de règlement|Type de règlement|Payment method|Payment mode|Payment type|Method|
        ModeRglt"""), limit=80),
    Field("currency", "Devise", "text", _headers(
        "Devise|Monnaie|Code devise|Currency|Currency code|invoice_currency|Ccy|Idevise"),
        limit=40),
    Field("kind", "Type de pièce", "text", _headers(
        """Type|Nature|Type de pièce|Type pièce|Type de document|Type document|Nature de pièce|
        Type de facture|Type facture|Document type|Doc type|Invoice type|Kind"""),
        _INVOICES, 80),
    Field("label", "Objet", "text", _headers(
        """Objet|Libellé|Description|Désignation|Intitulé facture|Objet facture|Libellé écriture|
        EcritureLib|Subject|Memo|Label"""), _INVOICES, 500),
    Field("level", "Niveau de relance", "number", _headers(
        """Niveau de relance|Niveau relance|Nb relances|Nombre de relances|Nb de relances|Relance|
        Relances|Dernier niveau|Dunning level|Reminder level|Reminders"""), _INVOICES, 20),
    Field("site", "Chantier ou site", "text", _headers(
        """Chantier|Site|Code chantier|N° chantier|Nom du chantier|Affaire|Code affaire|
        N° affaire|Projet|Dossier|Établissement|Project|Job|Worksite"""), _INVOICES),
    Field("email", "E-mail", "email", _headers(
        """Email|E-mail|Mail|Courriel|Adresse mail|Adresse email|Adresse e-mail|
        Adresse électronique|Email du responsable|Email client|E-mail client|Email facturation|
        Email comptabilité|Mail client|Customer email|Contact email|Email address|
        Billing email"""), limit=500),
    Field("phone", "Téléphone", "text", _headers(
        """Téléphone|Tél|N° de téléphone|Numéro de téléphone|Téléphone fixe|Mobile|Portable|
        Téléphone mobile|Tél portable|GSM|Phone|Phone number|Telephone|Mobile phone"""), limit=40),
    Field("contact", "Contact", "text", _headers(
        """Contact|Nom du contact|Interlocuteur|Responsable|Nom du responsable|Contact name|
        Contact facturation|À l'attention de|Attention"""), limit=120),
    Field("address", "Adresse", "text", _headers(
        """Adresse|Adresse 1|Adresse ligne 1|Adresse postale|Adresse de facturation|Rue|Voie|
        N° et rue|Address|Address 1|Address line 1|Street|Billing address"""), limit=500),
    Field("address2", "Complément d’adresse", "text", _headers(
        """Adresse 2|Adresse ligne 2|Complément|Complément d'adresse|Complément adresse|
        Address 2|Address line 2|Street 2""")),
    Field("postcode", "Code postal", "text", _headers(
        "Code postal|CP|C.P.|Postal code|Postcode|Zip|Zip code|ZIP/Postal code"), limit=12),
    Field("city", "Ville", "text", _headers(
        "Ville|Commune|Localité|Bureau distributeur|City|Town"), limit=80),
    Field("country", "Pays", "text", _headers(
        "Pays|Code pays|Country|Country code|countryCode"), limit=60),
    Field("siren", "SIREN, SIRET ou n° de TVA", "text", _headers(
        """SIREN|SIRET|N° SIREN|N° SIRET|Numéro SIREN|Numéro SIRET|Siren/Siret|Numéro de TVA|
        N° TVA|TVA intracommunautaire|N° TVA intracommunautaire|N° de TVA|VAT number|VAT|
        Company number|Registration number|Tax id"""), limit=40),
    Field("regime", "Régime du client", "text", _headers(
        """Régime|Type de client|Type client|Catégorie|Catégorie client|Professionnel/Particulier|
        Segment|Customer type|Client type"""), limit=80),
    Field("terms_days", "Délai de paiement (jours)", "number", _headers(
        """Délai de paiement|Délai paiement|Délai de règlement|Délai|Délai de paiement par défaut|
        Conditions de paiement|Conditions de règlement|Payment terms|Terms|Payment term|
        Credit terms"""), _CUSTOMERS, 60),
    Field("plan", "Plan de relance", "text", _headers(
        """Plan de relance|Nom du plan de relance|Scénario|Scénario de relance|Profil de relance|
        Dunning plan|Group|Groupe"""), _CUSTOMERS),
    Field("manager", "Gestionnaire", "text", _headers(
        """Gestionnaire|Commercial|Chargé de compte|Chargé d'affaires|Suivi par|Représentant|
        Account manager|Sales rep|Owner"""), _CUSTOMERS),
)  # fmt: skip

MAX_HEADER = 200
"""Characters of a header that may name a field."""

FIELDS: dict[str, Field] = {field.code: field for field in CATALOGUE}

BUCKETS: tuple[str, ...] = (
    "non echu", "a echoir", "echu", "1 30", "1 30 j", "1 30 jours", "0 30", "0 30 j", "0 30 jours",
    "30 j", "30 jours", "31 60", "31 60 j", "31 60 jours", "30 60", "30 60 j", "30 60 jours",
    "60 j", "60 jours", "61 90", "61 90 j", "61 90 jours", "60 90", "60 90 j", "60 90 jours",
    "90 j", "90 jours", "90", "plus de 90 jours", "plus de 90 j", "not due", "current",
    "1 30 days", "31 60 days", "61 90 days", "over 90", "over 90 days", "90 days",
)  # fmt: skip
"""Folded headers of the columns of an aged balance."""


def fields_for(subject: Subject) -> tuple[Field, ...]:
    """The fields of the catalogue that a file of this subject can give, in display order."""
    return tuple(field for field in CATALOGUE if subject in field.subjects)


@cache
def synonyms() -> dict[str, tuple[tuple[str, int], ...]]:
    """Folded header → fields that bear it, each with its rank in the field's own list."""
    table: dict[str, dict[str, int]] = {}
    for field in CATALOGUE:
        for rank, header in enumerate((field.label, *field.synonyms)):
            for key in {fold(header), fold(header).replace(" ", "")}:
                table.setdefault(key, {}).setdefault(field.code, rank)
    return {key: tuple(codes.items()) for key, codes in table.items()}


def header_fields(header: str) -> tuple[tuple[str, int], ...]:
    """The fields this header names exactly, best rank first; empty when unknown."""
    if len(header) > MAX_HEADER:
        return ()
    key = fold(header)
    known = synonyms()
    found = known.get(key) or known.get(key.replace(" ", ""), ())
    return tuple(sorted(found, key=lambda item: item[1]))

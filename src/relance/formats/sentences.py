# ruff: noqa: E501 - one sentence, one line
"""The French sentence of every fault code of the readers, with its severity.

Written with ordinary spaces before ``: ; ? %`` and inside ``« »``; `_typeset` puts the
French no-break spaces in, so the table stays readable and no one can forget one.
"""

from __future__ import annotations

import re
from typing import Literal

_Severity = Literal["file", "refused", "unchanged", "skipped", "remark"]

_FILE: dict[str, str] = {
    "empty_file": "Le fichier est vide. Exportez-le de nouveau depuis votre logiciel.",
    "no_rows": (
        "Le fichier ne contient que des titres, aucune ligne à importer. "
        "Vérifiez la période choisie à l’export."
    ),
    "no_header": (
        "Aucune ligne de titres de colonnes n’a été trouvée dans les {looked} premières lignes. "
        "Ajoutez une ligne qui nomme les colonnes."
    ),
    "file_too_large": (
        "Le fichier pèse {size} octets, la limite est de {limit}. "
        "Découpez-le en plusieurs fichiers, par exemple par année."
    ),
    "too_many_rows": (
        "Le fichier contient plus de {limit} lignes. "
        "Découpez-le en plusieurs fichiers, par exemple par année."
    ),
    "too_many_columns": (
        "Le fichier a {columns} colonnes, la limite est de {limit}. "
        "Ne gardez à l’export que les colonnes utiles."
    ),
    "too_many_cells": (
        "La feuille s’étend sur {rows} lignes et {columns} colonnes, soit plus de {limit} cellules. "
        "Supprimez les lignes et colonnes inutiles, ou enregistrez-la au format CSV."
    ),
    "line_too_long": (
        "Cette ligne compte {size} caractères, la limite est de {limit}. "
        "Ce n’est sans doute pas un tableau : vérifiez le fichier choisi."
    ),
    "binary": (
        "Ce fichier n’est pas un texte : il contient des octets nuls ou illisibles. "
        "Exportez-le au format CSV ou XLSX."
    ),
    "unknown_encoding": (
        "Les caractères de ce fichier ne sont ni en UTF-8 ni en Windows-1252 "
        "(octet {byte} illisible). Enregistrez-le en « CSV UTF-8 »."
    ),
    "kind_not_supported": (
        "Ce fichier est {kind}. Enregistrez-le au format XLSX ou CSV avant de l’importer."
    ),
    "damaged": (
        "Le classeur est abîmé ou incomplet et ne peut pas être ouvert. "
        "Ouvrez-le dans votre tableur, enregistrez-le de nouveau au format XLSX, puis réessayez."
    ),
    "password": (
        "Le classeur est protégé par un mot de passe (ou c’est un ancien fichier .xls). "
        "Enregistrez-le au format XLSX sans mot de passe."
    ),
    "zip_bomb": (
        "Le classeur se décompresse à plus de {limit} octets ou plus de {ratio} fois sa taille : "
        "il est refusé par sécurité. Enregistrez la feuille utile au format CSV."
    ),
    "too_many_quotes": (
        "Plus de {limit} lignes ont un guillemet jamais refermé. "
        "Exportez de nouveau le fichier, ou enregistrez-le au format XLSX."
    ),
    "no_sheet": "Le classeur ne contient aucune feuille de calcul remplie.",
    "unknown_sheet": "Le classeur n’a pas de feuille « {sheet} ». Feuilles présentes : {sheets}.",
    "missing_column": (
        "Aucune colonne n’est associée à « {field} ». "
        "Indiquez laquelle la contient dans la correspondance des colonnes."
    ),
    "bad_mapping": "La colonne n° {index} associée à « {field} » n’existe pas dans ce fichier.",
    "date_order_conflict": (
        "L’ordre jour/mois change dans la colonne : « {dmy} » (ligne {dmy_line}) ne peut être que "
        "jour/mois, « {mdy} » (ligne {mdy_line}) que mois/jour. Choisissez l’ordre à appliquer."
    ),
    "aged_balance": (
        "Ce fichier est une balance âgée : il donne des montants par tranche de retard ({buckets}) "
        "et non des factures. Exportez le détail des factures ouvertes."
    ),
    "fec_header": (
        "Ce fichier n’est pas un FEC : la ligne de titres ne contient pas {missing}. "
        "Un FEC commence par JournalCode, JournalLib, EcritureNum…"
    ),
}

_FILE |= {
    "document_kind": (
        "Ce fichier n’est pas un justificatif lisible. "
        "Sont acceptés : PDF, JPEG, PNG, HEIC, WEBP et facture électronique XML."
    ),
    "document_too_large": (
        "Le fichier pèse {size} octets, la limite est de {limit}. Réduisez-le ou découpez-le."
    ),
    "document_damaged": "Le fichier est abîmé et ne s’ouvre pas. Envoyez-le de nouveau.",
    "image_too_large": (
        "L’image dépasse {limit} pixels. Prenez-la en photo ou réduisez-la avant de l’envoyer."
    ),
    "einvoice_none": ("Ce fichier ne contient pas de facture électronique (Factur-X, CII ou UBL)."),
    "einvoice_broken": "La facture électronique est abîmée : {why}. Demandez-la de nouveau.",
    "einvoice_bad_amount": "« {value} » n’est pas un montant dans cette facture électronique.",
    "einvoice_bad_date": "« {value} » n’est pas une date dans cette facture électronique.",
    "bank_unknown": (
        "Ce fichier n’est pas un relevé bancaire reconnu (camt.053, OFX, CFONB 120, MT940). "
        "Demandez l’un de ces formats à votre banque, ou un export CSV."
    ),
    "bank_broken": (
        "Le relevé est abîmé ou incomplet : {why}. Téléchargez-le de nouveau depuis votre banque."
    ),
    "bank_no_statement": (
        "Le fichier ne contient aucun relevé. Vérifiez la période et le compte choisis à l’export."
    ),
    "bank_bad_date": "« {value} » n’est pas une date. Rien n’est importé de ce relevé.",
    "bank_bad_amount": "« {value} » n’est pas un montant. Rien n’est importé de ce relevé.",
    "bank_record_out_of_place": (
        "Un enregistrement « {record} » n’a pas sa place ici. Rien n’est importé de ce relevé."
    ),
    "bank_detail_without_movement": (
        "Un complément (05) précède toute opération (04). Rien n’est importé de ce relevé."
    ),
}

_REFUSED: dict[str, str] = {
    "unclosed_quote": (
        "Un guillemet ouvert n’est jamais refermé. "
        "Supprimez-le ou doublez-le, puis importez de nouveau cette ligne."
    ),
    "cell_too_long": (
        "Une cellule compte {size} caractères, la limite est de {limit}. Raccourcissez-la."
    ),
    "row_too_wide": "La ligne a {columns} colonnes, la limite est de {limit}.",
    "bad_amount": (
        "« {value} » n’est pas un montant. Écrivez par exemple 1234,56, sans formule ni texte."
    ),
    "amount_too_large": (
        "Le montant « {value} » dépasse 9 999 999 999 999,99. Vérifiez la colonne associée."
    ),
    "bad_date": "« {value} » n’est pas une date. Écrivez par exemple 31/12/2026.",
    "date_out_of_range": (
        "La date « {value} » est hors des années 1990 à 2100. Corrigez l’année, ou videz la cellule."
    ),
    "missing_issue_date": (
        "La ligne n’a ni date de facture ni échéance. Ajoutez la date de la facture."
    ),
    "missing_customer": (
        "La ligne n’a ni nom ni code de client. Ajoutez le client, sans quoi personne ne peut être relancé."
    ),
    "left_exceeds_total": (
        "Le reste à payer ({left_cents}) dépasse le total ({total_cents}). "
        "Vérifiez que les deux colonnes sont les bonnes : rien n’est importé pour cette ligne."
    ),
    "currency_unknown": (
        "« {value} » n’est pas une devise. Écrivez un code de trois lettres, par exemple EUR."
    ),
    "duplicate_conflict": (
        "Le numéro « {number} » figure aussi ligne {others} avec d’autres valeurs. "
        "Aucune de ces lignes n’est importée : gardez une seule ligne par facture."
    ),
    "value_too_long": (
        "La valeur « {value} » compte {size} caractères, la limite est de {limit}. Raccourcissez-la."
    ),
    "type_refused": (
        "Une pièce de type « {value} » n’est ni une facture ni un avoir. "
        "Laissez-la hors du fichier ; les règlements viennent par leurs propres colonnes."
    ),
    "fec_few_cells": "La ligne a {cells} colonnes au lieu de {expected}.",
    "fec_no_account": "Le numéro de compte est vide.",
    "fec_sign": ("Le sens « {value} » est inconnu. Sont admis D, C, +1 et -1."),
}

_UNCHANGED: dict[str, str] = {
    "duplicate_identical": "Cette ligne répète à l’identique la ligne {first} : elle est ignorée.",
    "customer_repeated": "Cette ligne répète le client de la ligne {first} : elle est ignorée.",
}

_SKIPPED: dict[str, str] = {
    "bank_line_left": "Cette ligne n’est pas une opération (titre ou solde) : elle est laissée.",
    "subtotal": "Ligne de total ou de solde (« {label} »), ignorée.",
    "header_repeated": "Ligne de titres répétée, ignorée.",
}

_REMARK: dict[str, str] = {
    "statement_gap": (
        "Compte {account} : l’ancien solde ({opening_cents}) et les opérations ne donnent pas "
        "le nouveau solde ({closing_cents}) : écart de {gap_cents}."
    ),
    "statement_unfinished": "Compte {account} : le relevé s’arrête avant son nouveau solde.",
    "amount_missing": (
        "Le montant est vide : la facture est importée à 0,00 et comptée comme soldée."
    ),
    "amount_rounded": "« {value} » a plus de deux décimales : arrondi à {amount_cents}.",
    "amount_ambiguous": "« {value} » est lu {amount_cents}. Si c’est faux, précisez le séparateur décimal.",
    "issue_from_due": "La date de facture est vide : l’échéance {due_on} en tient lieu.",
    "due_estimated": "Échéance estimée au {due_on} d’après un délai de {days} jours.",
    "due_before_issue": "L’échéance {due_on} précède la date de facture {issue_on} : gardée telle quelle.",
    "paid_before_issue": (
        "Le règlement du {paid_on} précède la date de facture {issue_on} : gardé tel quel."
    ),
    "overpaid": "Le règlement ({paid_cents}) dépasse le total ({total_cents}) : l’excédent est gardé en avoir.",
    "paid_and_left_disagree": (
        "Réglé ({paid_cents}) et reste à payer ({left_cents}) ne font pas le total ({total_cents}) : "
        "le reste à payer fait foi."
    ),
    "paid_sign": "Le montant réglé ({paid_cents}) a le signe contraire : pris en valeur absolue.",
    "paid_on_ignored": "Date de règlement {paid_on} sans règlement : la facture reste ouverte.",
    "credit_note_by_sign": "Montant négatif : la ligne est importée comme un avoir.",
    "type_unknown": "Le type « {value} » est inconnu : la ligne est lue comme une facture.",
    "number_missing": "Numéro de facture vide : le numéro {number} est attribué.",
    "left_empty": "Reste à payer vide : la facture est comptée comme soldée.",
    "customer_extra": (
        "Client déjà présent ligne {first} : seuls son contact et ses adresses e-mail s’ajoutent."
    ),
    "regime_unknown": "« {value} » n’est pas un régime connu (professionnel, particulier, public).",
    "country_unknown": "« {value} » n’est pas un pays connu : non repris.",
    "email_invalid": "« {value} » n’est pas une adresse e-mail : elle n’est pas reprise.",
    "siren_invalid": "« {value} » n’est ni un SIREN, ni un SIRET, ni un n° de TVA valable : non repris.",
    "level_invalid": "« {value} » n’est pas un niveau de relance : non repris.",
    "terms_invalid": "« {value} » n’est pas un délai de paiement : non repris.",
    "fec_no_letters": (
        "Le fichier n’a pas de colonne EcritureLet : aucune facture n’est connue comme payée."
    ),
    "fec_unbalanced": "Total débit {debit_cents}, total crédit {credit_cents} : écart de {gap_cents}.",
    "fec_name": (
        "Le nom du fichier ne suit pas SIRENFECAAAAMMJJ : "
        "la date de clôture est celle de la dernière écriture."
    ),
}


def _typeset(text: str) -> str:
    text = re.sub(r" (?=[:%»])", "\u00a0", text)
    text = re.sub(r"(?<=«) ", "\u00a0", text)
    text = re.sub(r" (?=[;!?])", "\u202f", text)
    text = re.sub(r"(?<=n°) ", "\u00a0", text)
    return re.sub(r"(?<=\d) (?=\d{3}\b)", "\u202f", text)


SENTENCES: dict[str, tuple[_Severity, str]] = {
    **{code: ("file", _typeset(text)) for code, text in _FILE.items()},
    **{code: ("refused", _typeset(text)) for code, text in _REFUSED.items()},
    **{code: ("unchanged", _typeset(text)) for code, text in _UNCHANGED.items()},
    **{code: ("skipped", _typeset(text)) for code, text in _SKIPPED.items()},
    **{code: ("remark", _typeset(text)) for code, text in _REMARK.items()},
}
"""Fault code → (severity, French sentence with the names of its facts in braces)."""

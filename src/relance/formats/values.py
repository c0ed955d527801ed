# ruff: noqa: E501 - lists of words
"""Small values of an import that are neither amounts nor dates: e-mails, SIREN, words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from relance.formats.amounts import CURRENCIES
from relance.formats.text import fold

Regime = Literal["unknown", "business", "consumer", "public"]
Mode = Literal["", "transfer", "direct_debit", "cheque", "card", "cash", "bill", "other"]
InvoiceKind = Literal["invoice", "credit_note"]

_PAID = frozenset(
    [
        "oui",
        "yes",
        "true",
        "vrai",
        "o",
        "y",
        "x",
        "payee",
        "paye",
        "payes",
        "payees",
        "reglee",
        "regle",
        "reglees",
        "soldee",
        "solde",
        "encaissee",
        "encaisse",
        "acquittee",
        "acquitte",
        "paid",
        "closed",
        "settled",
        "cleared",
        "complete",
    ]
) | {"totalement payee", "totalement reglee", "payee en totalite", "fully paid"}
_UNPAID = frozenset(
    ["non", "no", "false", "faux", "n", "impayee", "impaye", "ouverte", "ouvert", "open", "unpaid", "due", "echue", "envoyee", "emise", "validee", "sent", "pending", "overdue", "late"]
) | {
    "non payee", "non paye", "non reglee", "non regle", "non soldee", "en attente", "a payer",
    "a regler", "en retard", "not paid", "a echoir", "en cours",
}  # fmt: skip


def paid_word(text: str) -> bool | None:
    """Whether a status word says paid (True) or open (False); None for any other text."""
    folded = fold(text)
    if folded in _PAID:
        return True
    return False if folded in _UNPAID else None


_CREDITS = ("avoir", "avoirs", "note de credit", "credit", "credit note", "credit memo", "cm", "cn",
            "av", "avc", "facture d avoir", "facture avoir", "refund", "rembt", "remboursement",
            "381", "creditnote", "out refund")  # fmt: skip
_INVOICES = ("", "facture", "factures", "invoice", "fac", "fa", "fc", "f", "fact", "vente", "inv",
             "acompte", "facture d acompte", "facture acompte", "deposit", "down payment", "solde",
             "facture de solde", "situation", "facture de situation", "dm", "debit memo", "rv",
             "debit note", "380", "386", "out invoice", "facture client", "standard", "facture ttc",
             "prestation", "abonnement")  # fmt: skip
_OTHERS = ("reglement", "reglements", "paiement", "payment", "encaissement", "virement", "cheque",
           "prelevement", "remise", "od", "a nouveau", "report a nouveau", "devis", "quote",
           "proforma", "pro forma", "facture proforma", "commande", "order", "bon de livraison",
           "brouillon", "draft", "avoir brouillon", "facture brouillon", "annulee", "cancelled")  # fmt: skip


@lru_cache(maxsize=1024)
def invoice_kind(text: str) -> InvoiceKind | Literal["other"] | None:
    """What a type column says: invoice, credit note, ``other`` for what is neither (a
    payment, a quote, a draft), None when the word is unknown.
    """
    folded = fold(text)
    if folded in _CREDITS:
        return "credit_note"
    if folded in _INVOICES:
        return "invoice"
    if folded in _OTHERS:
        return "other"
    first = folded.split(" ")[0]
    if first in ("avoir", "credit"):
        return "credit_note"
    return "invoice" if first in ("facture", "invoice") else None


_REGIMES: dict[str, Regime] = {
    **dict.fromkeys(
        ("professionnel", "pro", "professionnels", "entreprise", "entreprises", "societe", "b2b",
         "btob", "b to b", "company", "business", "professional", "association", "assujetti"),
        "business",
    ),
    **dict.fromkeys(
        ("particulier", "particuliers", "part", "consommateur", "b2c", "btoc", "b to c",
         "consumer", "individual", "non professionnel", "prive"),
        "consumer",
    ),
    **dict.fromkeys(
        ("public", "secteur public", "collectivite", "collectivites", "administration", "b2g",
         "etat", "mairie", "collectivite territoriale", "personne publique", "acheteur public",
         "chorus", "chorus pro", "government"),
        "public",
    ),
}  # fmt: skip


def regime_of(text: str) -> Regime | None:
    """The regime a word names; ``unknown`` for an empty cell, None for another word."""
    return _REGIMES.get(fold(text)) if text else "unknown"


_MODES: tuple[tuple[Mode, tuple[str, ...]], ...] = (
    ("transfer", ("virement", "vir", "vrt", "transfer", "wire", "sct", "vb")),
    ("direct_debit", ("prelevement", "prel", "plv", "prlv", "sepa", "sdd", "direct debit", "pr")),
    ("cheque", ("cheque", "chq", "chk", "check", "ch")),
    ("card", ("carte", "cb", "card", "tpe", "stripe")),
    ("cash", ("espece", "especes", "esp", "cash", "liquide")),
    ("bill", ("traite", "lcr", "lettre de change", "effet", "billet", "bor", "bill")),
)


@lru_cache(maxsize=1024)
def mode_of(text: str) -> Mode:
    """The payment mode a cell names ("Prélèvement SEPA", "CHQ"); "" when empty, ``other``
    for a word that is none of the list.
    """
    folded = f" {fold(text)} "
    if not folded.strip():
        return ""
    if " sepa " in folded and (" virement" in folded or " transfer" in folded):
        return "transfer"
    for mode, words in _MODES:
        if any(f" {word} " in folded or f" {word}s " in folded for word in words):
            return mode
    return "other"


_COUNTRIES = {
    fold(name): code
    for code, names in {
        "FR": "France|FRA|Guadeloupe|Martinique|Réunion|La Réunion|Guyane|Mayotte",
        "BE": "Belgique|Belgium|BEL|België", "CH": "Suisse|Switzerland|CHE|Schweiz",
        "LU": "Luxembourg|LUX", "DE": "Allemagne|Germany|DEU|Deutschland",
        "ES": "Espagne|Spain|ESP|España", "IT": "Italie|Italy|ITA|Italia",
        "PT": "Portugal|PRT", "NL": "Pays-Bas|Netherlands|NLD|Hollande|Nederland",
        "GB": "Royaume-Uni|United Kingdom|GBR|UK|Grande-Bretagne|Angleterre",
        "IE": "Irlande|Ireland|IRL", "AT": "Autriche|Austria|AUT", "PL": "Pologne|Poland|POL",
        "MC": "Monaco|MCO", "AD": "Andorre|Andorra|AND", "US": "États-Unis|United States|USA",
        "CA": "Canada|CAN", "MA": "Maroc|Morocco|MAR", "TN": "Tunisie|Tunisia|TUN",
        "DZ": "Algérie|Algeria|DZA", "SN": "Sénégal|SEN", "CI": "Côte d'Ivoire|CIV",
        "DK": "Danemark|Denmark|DNK", "SE": "Suède|Sweden|SWE", "NO": "Norvège|Norway|NOR",
        "FI": "Finlande|Finland|FIN", "GR": "Grèce|Greece|GRC", "RO": "Roumanie|Romania|ROU",
        "CZ": "Tchéquie|République tchèque|Czech Republic|CZE", "HU": "Hongrie|Hungary|HUN",
        "BR": "Brésil|Brazil|BRA|Brasil", "CN": "Chine|China|CHN", "JP": "Japon|Japan|JPN",
    }.items()
    for name in names.split("|")
}  # fmt: skip


def country_of(text: str) -> str | None:
    """The two-letter ISO 3166 code a cell names; "" when empty, None when unknown."""
    if not text:
        return ""
    code = text.strip().upper()
    if len(code) == 2 and code.isascii() and code.isalpha() and code != "UK":
        return code
    return _COUNTRIES.get(fold(text))


_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "EURO": "EUR", "EUROS": "EUR", "US$": "USD"}


@lru_cache(maxsize=256)
def currency_of(text: str) -> str | None:
    """The ISO code a cell names, None when it names none."""
    code = text.strip().upper()
    code = _SYMBOLS.get(code, code)
    return code if code in CURRENCIES else None


_EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?:[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9]{1,59})\Z"
)
"""No wider than what the outbox takes: an address accepted here and refused there is silence."""


@lru_cache(maxsize=4096)
def emails_of(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses of a cell (separated by ; , or spaces, "Name <a@b.fr>" allowed), and
    the pieces that look like one but are not.
    """
    if not text:
        return (), ()
    good: list[str] = []
    bad: list[str] = []
    pieces = [
        piece.strip("<>()\"'").removeprefix("mailto:") for piece in re.split(r"[;,\s]+", text)
    ]
    pieces = [piece for piece in pieces if piece]
    some = any("@" in piece for piece in pieces)
    for piece in pieces:
        if len(piece) <= 254 and _EMAIL.match(piece):
            local, domain = piece.rsplit("@", 1)
            address = f"{local}@{domain.lower()}"
            if address not in good:
                good.append(address)
        elif "@" in piece or not some:
            bad.append(piece)
    return tuple(good), tuple(bad[:3])


@lru_cache(maxsize=4096)
def siren_of(text: str) -> str | None:
    """The nine digits of a SIREN, a SIRET or a French VAT number; "" when empty, None when
    it is none of these or its check digit is wrong (Luhn, INSEE).
    """
    body = re.sub(r"[\s.\-\u00a0\u202f]", "", text).upper()
    if not body:
        return ""
    if re.fullmatch(r"FR[0-9A-Z]{2}[0-9]{9}", body):
        body = body[4:]
    elif re.fullmatch(r"[0-9]{14}", body):
        body = body[:9]
    if not re.fullmatch(r"[0-9]{9}", body):
        return None
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return body if total % 10 == 0 else None


class Terms(NamedTuple):
    """Payment terms: calendar days after the invoice, then on to the end of that month."""

    days: int
    end_of_month: bool = False


_TERMS = re.compile(r"(\d{1,3})\s*(?:j|jours?|d|days?|jrs|nets?)?\b")


@lru_cache(maxsize=1024)
def terms_of(text: str) -> Terms | None:
    """ "30", "45 jours", "30 jours fin de mois", "comptant"; None when it is none of these."""
    folded = fold(text)
    end = "fin de mois" in folded or "fdm" in folded or "end of month" in folded
    if any(word in folded for word in ("comptant", "reception", "immediat", "upon receipt")):
        return Terms(0, end)
    found = _TERMS.search(folded)
    if found is None or int(found.group(1)) > 365:
        return None
    return Terms(int(found.group(1)), end)


@lru_cache(maxsize=256)
def level_of(text: str) -> int | None:
    """A reminder level from 0 to 99 out of "2" or "Niveau 2"; None when there is none."""
    digits = re.findall(r"\d+", text)
    return int(digits[0]) if len(digits) == 1 and len(digits[0]) <= 2 else None

"""Sentences about legal amounts: rates, their absence, their basis. Pure text, to be escaped.

The articles are those of docs/legal-amounts.md.
"""

from fractions import Fraction

from django.utils.translation import gettext as _

from relance.dunning.facts.legal import Statement
from relance.engine.late_fees import MissingRate, Semester


def semester_words(semester: Semester) -> str:
    """`1er semestre 2027`."""
    if semester.half == 1:
        return _("1er semestre %(year)s") % {"year": semester.year}
    return _("2e semestre %(year)s") % {"year": semester.year}


def missing_words(missing: MissingRate) -> str:
    """Why nothing is counted: the rate and the semester that are not known."""
    return _("%(reason)s : aucune pénalité n’est calculée plutôt qu’un montant faux.") % {
        "reason": _rate_not_known(missing)
    }


def _rate_not_known(missing: MissingRate) -> str:
    words = (
        _("Le taux de la BCE du %(semester)s n’est pas encore connu")
        if missing.kind == "refi"
        else _("Le taux de l’intérêt légal du %(semester)s n’est pas encore connu")
    )
    return words % {"semester": semester_words(missing.semester)}


def missing_effect(missing: MissingRate) -> str:
    """Whom it concerns that a rate is not known."""
    words = (
        _("%(rate)s : les pénalités des professionnels et des acheteurs publics attendent.")
        if missing.kind == "refi"
        else _(
            "%(rate)s : les intérêts des particuliers, et les pénalités au taux de vos conditions "
            "de vente, attendent."
        )
    )
    return words % {"rate": _rate_not_known(missing)}


def rate_words(percent: Fraction) -> str:
    """A yearly percentage to two decimals: `12,40 %`."""
    hundredths = int((200 * percent + 1) // 2)
    return f"{hundredths // 100},{hundredths % 100:02d}\u00a0%"


def why_none_words(code: str) -> str:
    """Why nothing but the principal is asked, from the code of `Owed.why_none`."""
    return {
        "UNKNOWN_REGIME": _(
            "Le régime du client n’est pas précisé : seul le principal est réclamé."
        ),
        "NO_NOTICE": _(
            "Un particulier doit les intérêts à partir de la réception d’une mise en demeure, et "
            "aucune n’est connue. Aucune indemnité ne peut lui être demandée."
        ),
        "CANCELLED_BY_CREDIT": _("La facture est annulée par un avoir : ni intérêts ni indemnité."),
        "JUDGMENT": _(
            "Échue après le jugement d’ouverture : ni intérêts ni indemnité (C. com. L622-28)."
        ),
        "NOT_LATE": _("Aucun retard à cette date."),
        "PAID_IN_TIME": _("Réglée à temps."),
    }.get(code, "")


def basis_words(statement: Statement) -> list[str]:
    """What the amounts rest on, one sentence each; nothing for a regime that is not known."""
    found = {
        "business": _business(statement),
        "public": [
            _(
                "Intérêts moratoires : taux de la BCE en vigueur au premier jour du semestre où "
                "ils ont commencé à courir, plus 8 points (Code de la commande publique, R2192-31)."
            ),
            _("Indemnité forfaitaire de 40 € par facture payée en retard (D2192-35)."),
        ],
        "consumer": [
            _(
                "Intérêts au taux légal à compter de la réception de la mise en demeure "
                "(C. civ. 1231-6 et 1344-1, CMF L313-2)."
            ),
            _("Aucuns frais de recouvrement à la charge d’un particulier (CPCE L111-8)."),
        ],
    }.get(statement.regime, [])
    if statement.judgment_on is not None and found:
        found.append(_("Le jugement d’ouverture arrête le cours des intérêts (C. com. L622-28)."))
    return found


def imputation_words(statement: Statement) -> str:
    """On what a part payment is put: interest first, or the principal (A5)."""
    if statement.interest_first:
        return _("Les acomptes s’imputent d’abord sur les intérêts (C. civ. 1343-1).")
    return _("Les acomptes s’imputent d’abord sur le principal.")


def _business(statement: Statement) -> list[str]:
    if statement.contract_rate is None:
        rate = _(
            "Pénalités de retard : taux de la BCE au premier jour de chaque semestre, plus 10 "
            "points, dues sans rappel dès le lendemain de l’échéance (C. com. L441-10)."
        )
    else:
        rate = _(
            "Pénalités de retard au taux des conditions de vente, %(rate)s l’an, sans descendre "
            "sous trois fois le taux légal (C. com. L441-10)."
        ) % {"rate": rate_words(statement.contract_rate)}
    found = [
        rate,
        _("Indemnité forfaitaire de 40 € par facture payée en retard (C. com. D441-5)."),
    ]
    if any(line.floored for line in statement.lines):
        found.append(
            _(
                "Le taux des conditions de vente est inférieur à trois fois le taux légal : ce "
                "plancher est appliqué."
            )
        )
    return found

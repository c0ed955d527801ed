"""French words of providers: what became of a letter or an SMS, and why an account refuses."""

from django.utils.translation import gettext_lazy as lazy

from relance.outbox.channels import tracking

STATES = {
    tracking.SUBMITTED: lazy("Confié au prestataire"),
    tracking.QUEUED: lazy("Pris en compte"),
    tracking.PRINTED: lazy("Imprimé"),
    tracking.POSTED: lazy("Posté"),
    tracking.IN_TRANSIT: lazy("En cours d’acheminement"),
    tracking.WAITING: lazy("Au bureau de poste"),
    tracking.DELIVERED: lazy("Distribué"),
    tracking.REFUSED: lazy("Refusé par le destinataire"),
    tracking.UNCLAIMED: lazy("Non réclamé"),
    tracking.RETURNED: lazy("Revenu\u00a0: n’habite pas à l’adresse indiquée"),
    tracking.CANCELLED: lazy("Annulé chez le prestataire"),
    tracking.ERROR: lazy("Non remis"),
    tracking.DEPOSIT: lazy("Preuve de dépôt"),
    tracking.RECEIPT: lazy("Avis de réception"),
}

RESULTS = {
    "reached": lazy("Joint"),
    "no_answer": lazy("Pas de réponse"),
    "left_message": lazy("Message laissé"),
    "promised": lazy("Promesse de paiement"),
    "disputed": lazy("Litige"),
    "wrong_number": lazy("Mauvais numéro"),
    "done": lazy("Fait"),
    "not_done": lazy("Non fait"),
}
"""What came of a call or a task (`Action.result`)."""

PROVIDERS = {
    "merci_facteur": lazy("Merci Facteur"),
    "http": lazy("Opérateur par HTTP"),
    "fake": lazy("Démonstration (rien ne part)"),
}

TROUBLES = (
    (
        "ForbiddenHostError",
        lazy(
            "Cette adresse ou ce port n’est pas sur le réseau public\u00a0: cette installation ne"
            " s’y connecte pas."
        ),
    ),
    ("gaierror", lazy("Ce serveur n’existe pas\u00a0: vérifiez l’adresse.")),
    ("SSL", lazy("La connexion n’est pas sûre\u00a0: le certificat de ce serveur est refusé.")),
    ("https only", lazy("Une adresse commence par https://.")),
    ("BadStatusLine", lazy("Ce n’est pas un service HTTP qui répond à cette adresse.")),
    ("TimeoutError", lazy("Le serveur d’envoi ne répond pas.")),
    ("ConnectionRefusedError", lazy("Le serveur d’envoi ne répond pas.")),
)
"""What a line to a provider says of itself when it breaks, by how it begins or what it names."""


def trouble(answer: str) -> str:
    """Why a provider could not be spoken to, as a sentence; its own words when they are HTTP's."""
    if answer.startswith("HTTP "):
        return answer
    return next((str(words) for sign, words in TROUBLES if sign in answer), answer)


def state(status: str) -> str:
    """What became of a message, in a few words."""
    return str(STATES.get(status, status))


def result(code: str) -> str:
    """What came of a call or a task, in a few words; empty when nothing was said."""
    return str(RESULTS.get(code, ""))

"""How the trial of a mailbox ended, in plain French: what works, what does not, what to do."""

from typing import NamedTuple

from django.utils.translation import gettext as _

from relance.outbox import oauth
from relance.outbox.channels.email.check import STEPS, Trial
from relance.outbox.models import Mailbox


class Line(NamedTuple):
    """One step: `ok` is None when the trial did not come so far."""

    label: str
    ok: bool | None
    detail: str = ""


def lines_of(trial: Trial, mailbox: Mailbox) -> list[Line]:
    """Every step in its order; the one that failed says why."""
    labels = _labels(mailbox)
    return [
        Line(
            labels[step],
            True if step in trial.done else False if step == trial.step else None,
            sentence(trial.code, mailbox) if step == trial.step else "",
        )
        for step in STEPS
        if step in trial.done or step != "message" or trial.step == "message"
    ]


def _labels(mailbox: Mailbox) -> dict[str, str]:
    return {
        "name": _("Le serveur « %(host)s » existe") % {"host": mailbox.host},
        "port": _("Il répond sur le port %(port)s") % {"port": mailbox.port},
        "tls": _("La connexion est protégée")
        if mailbox.security != Mailbox.Security.NONE
        else _("La connexion n’est pas chiffrée, comme demandé"),
        "login": _("L’autorisation donnée à %(name)s est acceptée")
        % {"name": provider_name(mailbox.auth)}
        if mailbox.auth != Mailbox.Auth.PASSWORD
        else _("L’identifiant et le mot de passe sont acceptés")
        if mailbox.username
        else _("Aucun identifiant n’est demandé"),
        "sender": _("Il accepte d’envoyer au nom de %(address)s") % {"address": mailbox.address},
        "message": _("Le message d’essai est parti"),
    }


def provider_name(auth: str) -> str:
    """Google, Microsoft 365; "" of a mailbox with a password."""
    known = oauth.providers().get(auth)
    return known.name if known else ""


def consent_words(code: str, auth: str) -> str:
    """Why a mailbox cannot be opened by consent; empty for codes that speak of something else."""
    words = {
        "CONSENT_DENIED": _("%(name)s n’a pas donné l’autorisation : rien n’a changé."),
        "CONSENT_REVOKED": _(
            "L’autorisation a été retirée ou a expiré chez %(name)s : connectez de nouveau la "
            "boîte. Ses messages attendent."
        ),
        "OAUTH_OFF": _(
            "Cette installation n’est pas inscrite chez %(name)s : la personne qui l’administre "
            "peut le faire (voir les réglages du serveur)."
        ),
        "OAUTH_REFUSED": _(
            "%(name)s ne reconnaît pas cette installation : la personne qui l’administre doit "
            "vérifier son inscription."
        ),
        "OAUTH_SILENT": _("%(name)s ne répond pas en ce moment : réessayez dans un instant."),
        "NO_XOAUTH2": _("Ce serveur n’accepte pas l’autorisation de %(name)s."),
    }
    return words[code] % {"name": provider_name(auth)} if code in words else ""


def sentence(code: str, mailbox: Mailbox) -> str:
    """What is wrong and what to do about it; unknown codes get the general one."""
    if mailbox.auth != Mailbox.Auth.PASSWORD:
        if code == "LOGIN_REFUSED":
            return _("Le serveur refuse l’autorisation de %(name)s : elle est redemandée.") % {
                "name": provider_name(mailbox.auth)
            }
        if said := consent_words(code, mailbox.auth):
            return said
    words = {
        "HOST_UNKNOWN": _("Ce nom de serveur est introuvable : vérifiez-le, lettre à lettre."),
        "HOST_FORBIDDEN": _(
            "Cette adresse ou ce port n’est pas sur le réseau public : cette installation ne s’y "
            "connecte pas."
        ),
        "PORT_CLOSED": _("Ce port est fermé : essayez 587 avec STARTTLS, ou 465 avec TLS."),
        "PORT_SILENT": _(
            "Le serveur ne répond pas à temps : ce port est peut-être filtré, ou attend un autre "
            "chiffrement."
        ),
        "NOT_SMTP": _("Ce qui répond là n’est pas un serveur d’envoi de courrier."),
        "NO_STARTTLS": _("Ce serveur ne propose pas STARTTLS sur ce port : essayez TLS, port 465."),
        "CERTIFICATE": _(
            "Le certificat du serveur n’est pas valable pour ce nom : le mot de passe n’a pas été "
            "envoyé."
        ),
        "TLS_REFUSED": _("Ce port ne commence pas par TLS : essayez STARTTLS, port 587."),
        "NO_LOGIN": _("Ce serveur ne demande pas d’identifiant ici : laissez-le vide."),
        "LOGIN_REFUSED": _(
            "L’identifiant ou le mot de passe est refusé. Certains hébergeurs veulent un mot de "
            "passe d’application."
        ),
        "LOGIN_NOT_ASCII": _("Un mot de passe accentué ne peut pas être transmis par SMTP."),
        "PASSWORD_LOST": _("Le mot de passe enregistré est illisible : tapez-le de nouveau."),
        "SENDER_REFUSED": _("Ce compte n’a pas le droit d’envoyer au nom de cette adresse."),
        "MESSAGE_REFUSED": _("Le serveur a refusé le message d’essai."),
    }
    return words.get(code, _("La connexion s’est interrompue : réessayez dans un instant."))


def trouble_of(mailbox: Mailbox) -> str:
    """What failed last, from what is stored; empty when it works or was never tried."""
    code = mailbox.check_error.partition(" ")[0]
    return sentence(code, mailbox) if code else ""

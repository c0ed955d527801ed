"""What the DNS says of a sender's domain, one plain sentence each for SPF, DKIM and DMARC."""

from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.outbox import domains
from relance.outbox.domains import Found, Verdict
from relance.outbox.models import Mailbox


class Line(NamedTuple):
    """One record: `ok` None when it cannot be known; `name` and `record` are what to publish."""

    label: str
    ok: bool | None
    sentence: str
    name: str = ""
    record: str = ""


class Look(NamedTuple):
    """A domain on a page; `ready` None when unknown, without `looked_at` nobody has looked."""

    domain: str
    looked_at: datetime | None = None
    ready: bool | None = None
    lines: tuple[Line, ...] = ()


def look_of(organisation: Organisation, address: str, mailbox: Mailbox | None) -> Look | None:
    """What was found last for the domain of `address`, sent by the mailbox's server or ours."""
    domain = domains.domain_of(address)
    if not domain:
        return None
    kept = domains.kept(organisation, address)
    if kept is None:
        return Look(domain)
    given = domains.verdicts(
        domain,
        Found(**kept.found),
        mechanism=domains.mechanism_of(mailbox),
        own_server=mailbox is not None,
    )
    lines = tuple(_line(one) for one in given)
    return Look(domain, kept.looked_at, domains.is_ready(given), lines)


def _line(one: Verdict) -> Line:
    ok = {"ok": True, "wrong": False}.get(one.state)
    return Line(one.about.upper(), ok, _sentence(one), one.name, one.record)


def _sentence(one: Verdict) -> str:
    words = {
        "SILENT": _("Le DNS n’a pas répondu : on ne sait pas. Rien n’est bloqué pour autant."),
        "DOMAIN_UNKNOWN": _("Le domaine %(it)s n’existe pas : vérifiez l’adresse."),
        "DOMAIN_PUBLIC": _(
            "%(it)s appartient à un fournisseur public : lui seul décide qui envoie pour ses "
            "adresses. Connectez plutôt cette boîte, ou prenez une adresse de votre domaine."
        ),
        "SPF_NONE": _(
            "Aucun enregistrement SPF : rien ne dit quels serveurs envoient pour ce domaine."
        ),
        "SPF_TWICE": _(
            "%(it)s enregistrements SPF au lieu d’un : les destinataires n’en croient aucun. "
            "Fondez-les en un seul."
        ),
        "SPF_OTHERS": _(
            "L’enregistrement SPF ne nomme pas le serveur qui envoie : il y manque « %(it)s »."
        ),
        "SPF_HERE": _("Le domaine autorise le serveur qui envoie (%(it)s)."),
        "SPF_SOME": _(
            "Un enregistrement SPF existe. Relance ne connaît pas les adresses de sortie de ce "
            "serveur : demandez à son hébergeur si elles y sont."
        ),
        "DKIM_KEYS": _(
            "Une clé est publiée (%(it)s). Seul un message reçu montre si votre serveur signe "
            "avec elle."
        ),
        "DKIM_NONE": _(
            "Aucune clé n’est publiée : vos messages ne sont pas signés. Votre hébergeur donne "
            "l’enregistrement à ajouter."
        ),
        "DKIM_UNSEEN": _(
            "Aucune clé sous les noms habituels. Il peut en exister une sous un autre nom, que "
            "le DNS ne laisse pas chercher : votre hébergeur le sait."
        ),
        "DMARC_NONE": _(
            "Aucune règle DMARC : de grandes messageries s’en méfient. « p=none » suffit pour "
            "commencer."
        ),
        "DMARC_BROKEN": _("L’enregistrement DMARC ne dit aucune règle (p=…) : il ne vaut rien."),
    }
    policy = _("Une règle est publiée par %(it)s : ")
    words |= {
        "DMARC_P_NONE": policy + _("observer seulement."),
        "DMARC_P_QUARANTINE": policy + _("ce qui n’est ni SPF ni DKIM va aux indésirables."),
        "DMARC_P_REJECT": policy + _("ce qui n’est ni SPF ni DKIM est refusé."),
    }
    return words[one.code] % {"it": one.detail}

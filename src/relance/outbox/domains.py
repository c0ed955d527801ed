"""Whether a domain lets others believe our mails: SPF, DKIM, DMARC as the DNS tells them (B2).

`look` asks and keeps what was said; `verdicts` says what it means for the server that sends. A
DNS that does not answer is told as such and blocks nothing.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import NamedTuple

import dns.exception
import dns.resolver
from django.conf import settings

from relance.accounts.models import Organisation
from relance.outbox.models import Mailbox, SenderDomain

ANSWER_SECONDS = 3.0
MOST_LOOKUPS = 10  # RFC 7208 4.6.4
PATIENCE = 2
"""After so many questions without an answer no more are asked: a page waits for them."""
SELECTORS = (
    *("google", "selector1", "selector2", "default", "dkim", "mail", "s1", "s2", "k1", "k2", "k3"),
    *("mta", "smtp", "brevo", "mailjet", "ovhmo-selector-1", "gm1", "key1", "20230601"),
)
"""Names that common providers give their DKIM keys: no list of a domain's own can be asked for."""
SERVERS = (
    ("gmail.com", "include:_spf.google.com"),
    ("google.com", "include:_spf.google.com"),
    ("office365.com", "include:spf.protection.outlook.com"),
    ("outlook.com", "include:spf.protection.outlook.com"),
    ("ovh.net", "include:mx.ovh.com"),
    ("ovh.com", "include:mx.ovh.com"),
    ("gandi.net", "include:_mailcust.gandi.net"),
    ("ionos.fr", "include:_spf-eu.ionos.com"),
    ("infomaniak.com", "include:spf.infomaniak.ch"),
    ("brevo.com", "include:spf.brevo.com"),
    ("mailjet.com", "include:spf.mailjet.com"),
)
"""What a domain's SPF says when it lets these servers send, by the end of their name."""
PUBLIC = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "outlook.fr",
        "hotmail.com",
        "hotmail.fr",
        "live.fr",
        "live.com",
        "yahoo.com",
        "yahoo.fr",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "sfr.fr",
        "neuf.fr",
        "laposte.net",
        "bbox.fr",
        "icloud.com",
        "me.com",
        "gmx.fr",
        "gmx.com",
        "aol.com",
        "proton.me",
        "protonmail.com",
    ]
)
"""Domains of which nobody but their provider writes the records."""


class NoNameError(Exception):
    """The name does not exist, nor any below it (RFC 8020)."""


class SilentError(Exception):
    """Nobody answered: nothing is known."""


Ask = Callable[[str], list[str]]
"""The TXT records of a name, [] for none. Raises NoNameError, SilentError."""


@dataclass
class Found:
    """What the DNS said; `spf` are the records of the domain itself, `terms` with all included.

    `keys` are the selectors at which a DKIM key stands; `no_keys` is certain. `silent` holds
    spf, dkim, dmarc where nobody answered.
    """

    exists: bool = True
    spf: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    no_keys: bool = False
    dmarc: str = ""
    dmarc_at: str = ""
    silent: list[str] = field(default_factory=list)


class Verdict(NamedTuple):
    """One of spf, dkim, dmarc: `state` is ok, wrong or unknown; `record` is the one to add.

    `code` has its sentence in the pages; `detail` goes into it.
    """

    about: str
    state: str
    code: str
    detail: str = ""
    name: str = ""
    record: str = ""


def txt(name: str) -> list[str]:
    """The TXT records of a name, asked of the machine's resolver; see `Ask`."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=ANSWER_SECONDS, search=False)
    except dns.resolver.NXDOMAIN as none:
        raise NoNameError(name) from none
    except dns.resolver.NoAnswer:
        return []
    except (dns.exception.DNSException, OSError, UnicodeError) as fault:
        raise SilentError(name) from fault
    return [b"".join(one.strings).decode("utf-8", "replace") for one in answer]


def domain_of(address: str) -> str:
    """The domain as the DNS knows it (IDNA); "" when there is none."""
    name = address.rpartition("@")[2].strip().rstrip(".").lower()
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def look_again(
    organisation: Organisation, domain: str, *, now: datetime, ask: Ask | None = None
) -> SenderDomain:
    """Ask the DNS and keep what it said, for all addresses of the organisation's there."""
    found = asdict(look(domain, ask or txt))
    kept, _new = SenderDomain.objects.update_or_create(
        organisation=organisation, name=domain, defaults={"found": found, "looked_at": now}
    )
    return kept


def kept(organisation: Organisation, address: str) -> SenderDomain | None:
    """What was found last for the domain of an address; None when nobody looked."""
    known = SenderDomain.objects.filter(organisation=organisation, name=domain_of(address))
    return known.first()


def look(domain: str, ask: Ask) -> Found:
    """What the DNS says of the domain; never raises."""
    found = Found()
    patient = _patient(ask)
    for about, part in (("spf", _spf), ("dkim", _dkim), ("dmarc", _dmarc)):
        try:
            part(domain, found, patient)
        except SilentError:
            found.silent.append(about)
    return found


def _patient(ask: Ask) -> Ask:
    silences = 0

    def asked(name: str) -> list[str]:
        nonlocal silences
        if silences >= PATIENCE:
            raise SilentError(name)
        try:
            return ask(name)
        except SilentError:
            silences += 1
            raise

    return asked


def _spf(domain: str, found: Found, ask: Ask) -> None:
    try:
        records = ask(domain)
    except NoNameError:
        found.exists = False
        return
    found.spf = [one for one in records if re.match(r"v=spf1(\s|$)", one, re.IGNORECASE)]
    if len(found.spf) == 1:
        found.terms = _terms(found.spf[0], ask, set())


def _terms(record: str, ask: Ask, seen: set[str]) -> list[str]:
    """Every mechanism, with those of the records it includes; what is silent is left out."""
    terms = [one.lstrip("+").lower() for one in record.split()[1:]]
    for term in list(terms):
        inner = re.fullmatch(r"(?:include:|redirect=)([^%\s]+)", term)
        if not inner or inner[1] in seen or len(seen) >= MOST_LOOKUPS:
            continue
        seen.add(inner[1])
        try:
            records = [one for one in ask(inner[1]) if one.lower().startswith("v=spf1")]
        except (NoNameError, SilentError):
            continue
        for one in records[:1]:
            terms += _terms(one, ask, seen)
    return terms


def _dkim(domain: str, found: Found, ask: Ask) -> None:
    try:
        ask(f"_domainkey.{domain}")
    except NoNameError:
        found.no_keys = True
        return
    for selector in SELECTORS:
        try:
            records = ask(f"{selector}._domainkey.{domain}")
        except NoNameError:
            continue
        if any(re.search(r"\bp=[^;\s]", one) for one in records):
            found.keys.append(selector)


def _dmarc(domain: str, found: Found, ask: Ask) -> None:
    """The domain's own, else that of a domain above it, which then holds for it too."""
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        name = ".".join(labels[start:])
        try:
            records = ask(f"_dmarc.{name}")
        except NoNameError:
            continue
        policies = [one for one in records if re.match(r"v=DMARC1\b", one, re.IGNORECASE)]
        if len(policies) == 1:
            found.dmarc, found.dmarc_at = policies[0], name
            return


def mechanism_of(mailbox: Mailbox | None) -> str:
    """What an SPF record says to let the mailbox's server, or the installation's, send; or ""."""
    if mailbox is None:
        host = str(settings.EMAIL_HOST)
        named = re.fullmatch(r"(?!-)[a-z0-9.-]+\.[a-z]{2,}", host, re.IGNORECASE)
        return str(settings.SPF_MECHANISM) or (f"a:{host}" if named else "")
    for end, mechanism in SERVERS:
        if mailbox.host == end or mailbox.host.endswith(f".{end}"):
            return mechanism
    return ""


def verdicts(domain: str, found: Found, *, mechanism: str, own_server: bool) -> list[Verdict]:
    """What was found means for mails sent by a server that SPF names `mechanism` ("": unknown).

    `own_server` is false for the installation's server, which signs for no domain but its own.
    """
    if not found.exists:
        return [Verdict("spf", "wrong", "DOMAIN_UNKNOWN", domain)]
    if domain in PUBLIC and not own_server:
        return [Verdict("spf", "wrong", "DOMAIN_PUBLIC", domain)]
    return [
        _spf_verdict(domain, found, mechanism),
        _dkim_verdict(domain, found),
        _dmarc_verdict(domain, found),
    ]


def is_ready(given: list[Verdict]) -> bool | None:
    """False when something is wrong, None when something decisive is unknown."""
    if any(one.state == "wrong" for one in given):
        return False
    return None if any(one.code == "SILENT" for one in given) else True


def _spf_verdict(domain: str, found: Found, mechanism: str) -> Verdict:
    if "spf" in found.silent:
        return Verdict("spf", "unknown", "SILENT")
    record = f"v=spf1 {mechanism} ~all" if mechanism else ""
    if not found.spf:
        return Verdict("spf", "wrong", "SPF_NONE", name=domain, record=record)
    if len(found.spf) > 1:
        return Verdict("spf", "wrong", "SPF_TWICE", str(len(found.spf)), domain)
    if not mechanism:
        return Verdict("spf", "ok", "SPF_SOME", found.spf[0])
    if mechanism.lower() in found.terms:
        return Verdict("spf", "ok", "SPF_HERE", mechanism)
    added = re.sub(r"\s*([-~?+]?all|redirect=\S+)?\s*$", rf" {mechanism} \1", found.spf[0], count=1)
    return Verdict("spf", "wrong", "SPF_OTHERS", mechanism, domain, added.rstrip())


def _dkim_verdict(domain: str, found: Found) -> Verdict:
    if "dkim" in found.silent:
        return Verdict("dkim", "unknown", "SILENT")
    if found.keys:
        return Verdict("dkim", "ok", "DKIM_KEYS", ", ".join(found.keys))
    if found.no_keys:
        return Verdict("dkim", "wrong", "DKIM_NONE", domain)
    return Verdict("dkim", "unknown", "DKIM_UNSEEN", domain)


def _dmarc_verdict(domain: str, found: Found) -> Verdict:
    if "dmarc" in found.silent:
        return Verdict("dmarc", "unknown", "SILENT")
    policy = re.search(r";\s*p\s*=\s*(none|quarantine|reject)\b", found.dmarc, re.IGNORECASE)
    if not policy:
        code = "DMARC_BROKEN" if found.dmarc else "DMARC_NONE"
        return Verdict("dmarc", "wrong", code, "", f"_dmarc.{domain}", "v=DMARC1; p=none")
    return Verdict("dmarc", "ok", f"DMARC_P_{policy[1].upper()}", found.dmarc_at)

"""What the DNS of a sender's domain says, asked of a resolver that a test writes."""

from typing import Any

import pytest

from relance.accounts.models import Organisation
from relance.outbox import domains
from relance.outbox.domains import Verdict
from relance.outbox.models import Mailbox

from .conftest import NOW


class Zone:
    """TXT records by name; a name that holds None does not answer, others do not exist."""

    def __init__(self, records: dict[str, Any]) -> None:
        self.records = records
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name not in self.records:
            if any(known.endswith(f".{name}") for known in self.records):
                return []
            raise domains.NoNameError(name)
        if self.records[name] is None:
            raise domains.SilentError(name)
        return list(self.records[name])


HOME = "martin.example"
READY = {
    HOME: ["google-site-verification=x", "v=spf1 include:_spf.google.com ~all"],
    "_spf.google.com": ["v=spf1 ip4:1.2.3.0/24 ~all"],
    f"google._domainkey.{HOME}": ["v=DKIM1; k=rsa; p=MIIB"],
    f"_dmarc.{HOME}": ["v=DMARC1; p=quarantine; rua=mailto:a@martin.example"],
}
GOOGLE = "include:_spf.google.com"


def verdicts(
    records: dict[str, Any], mechanism: str = GOOGLE, *, domain: str = HOME, own: bool = True
) -> list[Verdict]:
    found = domains.look(domain, Zone(records))
    return domains.verdicts(domain, found, mechanism=mechanism, own_server=own)


def codes(given: list[Verdict]) -> list[str]:
    return [one.code for one in given]


def test_a_domain_that_is_ready() -> None:
    given = verdicts(READY)
    assert codes(given) == ["SPF_HERE", "DKIM_KEYS", "DMARC_P_QUARANTINE"]
    assert given[1].detail == "google"
    assert domains.is_ready(given) is True


def test_a_domain_of_which_nothing_is_published_gets_the_records_to_add() -> None:
    given = verdicts({HOME: ["hello"]})
    assert given == [
        Verdict("spf", "wrong", "SPF_NONE", "", HOME, "v=spf1 include:_spf.google.com ~all"),
        Verdict("dkim", "wrong", "DKIM_NONE", HOME),
        Verdict("dmarc", "wrong", "DMARC_NONE", "", f"_dmarc.{HOME}", "v=DMARC1; p=none"),
    ]
    assert domains.is_ready(given) is False


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ("v=spf1 mx -all", "v=spf1 mx include:_spf.google.com -all"),
        ("v=spf1 mx", "v=spf1 mx include:_spf.google.com"),
        ("v=spf1 redirect=x.example", "v=spf1 include:_spf.google.com redirect=x.example"),
    ],
)
def test_a_server_that_is_not_named_is_added_before_the_end(record: str, wanted: str) -> None:
    [spf, *_] = verdicts(READY | {HOME: [record]})
    assert (spf.state, spf.code, spf.record) == ("wrong", "SPF_OTHERS", wanted)


def test_what_another_record_includes_counts() -> None:
    records = READY | {
        HOME: ["v=spf1 redirect=common.example"],
        "common.example": ["v=spf1 include:_spf.google.com include:common.example ~all"],
    }
    assert verdicts(records)[0].code == "SPF_HERE", "and a circle ends"


def test_two_spf_records_are_worth_none() -> None:
    """RFC 7208 4.5: an error for every receiver."""
    assert verdicts(READY | {HOME: ["v=spf1 mx ~all", "v=spf1 a ~all"]})[0].code == "SPF_TWICE"


def test_without_knowing_the_server_nothing_is_claimed_of_it() -> None:
    assert verdicts(READY, "")[0].code == "SPF_SOME"


def test_keys_under_a_name_of_their_own_cannot_be_seen() -> None:
    """DKIM keys stand at selectors that nobody lists: only a whole absence is certain."""
    given = verdicts(
        {k: v for k, v in READY.items() if "_domainkey" not in k}
        | {f"my-own._domainkey.{HOME}": ["v=DKIM1; p=MIIB"]}
    )
    assert (given[1].state, given[1].code) == ("unknown", "DKIM_UNSEEN")
    assert domains.is_ready(given) is True
    revoked = READY | {f"google._domainkey.{HOME}": ["v=DKIM1; p="]}
    assert verdicts(revoked)[1].code == "DKIM_UNSEEN"


def test_the_policy_of_the_domain_above_holds() -> None:
    records = READY | {"compta.martin.example": ["v=spf1 include:_spf.google.com ~all"]}
    given = verdicts(records, domain="compta.martin.example")
    assert (given[2].code, given[2].detail) == ("DMARC_P_QUARANTINE", HOME)
    assert verdicts(READY | {f"_dmarc.{HOME}": ["v=DMARC1"]})[2].code == "DMARC_BROKEN"


def test_a_dns_that_does_not_answer_is_told_as_such_and_not_asked_for_ever() -> None:
    silent = Zone(dict.fromkeys([HOME, f"_domainkey.{HOME}", f"_dmarc.{HOME}"]))
    found = domains.look(HOME, silent)
    assert found.silent == ["spf", "dkim", "dmarc"]
    assert len(silent.asked) == 2
    given = domains.verdicts(HOME, found, mechanism="", own_server=True)
    assert codes(given) == ["SILENT"] * 3
    assert domains.is_ready(given) is None


def test_a_domain_that_is_none_or_nobodys_own_is_said_at_once() -> None:
    assert codes(verdicts({})) == ["DOMAIN_UNKNOWN"]
    gmail = {"gmail.com": ["v=spf1 redirect=_spf.google.com"]}
    assert codes(verdicts(gmail, domain="gmail.com", own=False)) == ["DOMAIN_PUBLIC"]
    assert "DOMAIN_PUBLIC" not in codes(verdicts(gmail, domain="gmail.com", own=True))


def test_the_server_tells_what_spf_must_say(settings: Any) -> None:
    assert domains.mechanism_of(Mailbox(host="smtp.gmail.com")) == GOOGLE
    assert domains.mechanism_of(Mailbox(host="ssl0.ovh.net")) == "include:mx.ovh.com"
    assert domains.mechanism_of(Mailbox(host="notgmail.com")) == ""
    settings.EMAIL_HOST = "127.0.0.1"
    assert domains.mechanism_of(None) == ""
    settings.EMAIL_HOST = "smtp.relance.example"
    assert domains.mechanism_of(None) == "a:smtp.relance.example"
    settings.SPF_MECHANISM = "include:_spf.relance.example"
    assert domains.mechanism_of(None) == "include:_spf.relance.example"


@pytest.mark.django_db
def test_what_was_found_is_kept_for_the_domain_of_an_organisation() -> None:
    organisation = Organisation.objects.create(name="Martin", slug="martin")
    for records in ({}, READY):
        domains.look_again(organisation, HOME, now=NOW, ask=Zone(records))
    kept = domains.kept(organisation, "Compta@Martin.Example")
    assert kept is not None
    assert domains.Found(**kept.found).keys == ["google"]
    assert domains.kept(organisation, "a@other.example") is None
    assert domains.domain_of("a@société.example") == "xn--socit-esab.example"


def test_the_machines_resolver_is_asked_with_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import dns.resolver

    faults = [dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.LifetimeTimeout]

    def resolve(name: str, kind: str, **options: Any) -> Any:
        assert options["lifetime"] <= 5
        raise faults.pop(0)

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    monkeypatch.setattr(dns.resolver.NoAnswer, "__init__", lambda self: None)
    with pytest.raises(domains.NoNameError):
        domains.txt(HOME)
    assert domains.txt(HOME) == []
    with pytest.raises(domains.SilentError):
        domains.txt(HOME)

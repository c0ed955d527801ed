"""Merci Facteur against an imitation of its interface: tokens, refusals, answers that get lost."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.merci_facteur import Keys, MerciFacteur, read_call

from .conftest import NOW
from .providers import Bureau, letter
from .web_server import Reply, WebServer, serving


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


@pytest.fixture
def server(bureau: Bureau, settings: Any) -> Iterator[WebServer]:
    settings.SMTP_PRIVATE_NETWORKS = True
    with serving(bureau) as running:
        yield running


@pytest.fixture
def provider(bureau: Bureau, server: WebServer) -> MerciFacteur:
    keys = Keys(bureau.service, bureau.secret, bureau.user)
    return MerciFacteur(keys, base=f"{server.url}/service")


def submit(provider: MerciFacteur, key: str = "key-1", **more: Any) -> Any:
    return provider.submit(letter(key, **more), at=NOW, hand_over=lambda: None)


def paths(server: WebServer) -> list[str]:
    return [request.path.rpartition("/")[2] for request in server.requests]


def test_the_form_is_what_its_documentation_asks_for(
    provider: MerciFacteur, bureau: Bureau
) -> None:
    submit(provider, "abc", service="lrare")
    form = bureau.taken[501]
    assert (form["modeEnvoi"], form["idUser"], form["antidoublon"]) == ("lrare", "17460", "abc")
    assert "dateEnvoi" not in form
    people = json.loads(form["adress"])
    assert people["dest"][0] == {
        "civilite": "",
        "nom": "",
        "prenom": "",
        "societe": "Dupont SARL",
        "adresse1": "Mme Rault",
        "adresse2": "12 rue du Port",
        "adresse3": "",
        "cp": "29200",
        "ville": "BREST",
        "pays": "FRANCE",
        "reference": "abc",
    }
    assert (people["exp"]["ville"], people["exp"]["reference"]) == ("QUIMPER", "")
    content = json.loads(form["content"])
    assert (content["photo"], content["card"], content["letter"]["files"]) == ("", "", "")
    assert content["letter"]["print_sides"] == "recto"


def test_a_wanted_date_and_both_sides_are_told(provider: MerciFacteur, bureau: Bureau) -> None:
    wanted = letter("x").__class__(
        **{**letter("x").__dict__, "duplex": True, "wanted_on": date(2026, 3, 5)}
    )
    provider.submit(wanted, at=NOW, hand_over=lambda: None)
    assert bureau.taken[501]["dateEnvoi"] == "2026-03-05"
    assert json.loads(bureau.taken[501]["content"])["letter"]["print_sides"] == "rectoverso"


def test_one_token_serves_for_its_day_and_is_given_away_to_be_kept(
    bureau: Bureau, server: WebServer
) -> None:
    kept: list[tuple[str, datetime]] = []
    keys = Keys(bureau.service, bureau.secret, bureau.user)
    base = f"{server.url}/service"
    first = MerciFacteur(keys, base=base, keep=lambda token, until: kept.append((token, until)))
    submit(first, "a")
    submit(first, "b")
    [(token, until)] = kept
    assert until == NOW + timedelta(hours=24)
    submit(MerciFacteur(keys, base=base, token=token, token_until=until), "c")
    assert paths(server).count("getToken") == 1
    late = MerciFacteur(keys, base=base, token=token, token_until=NOW + timedelta(seconds=30))
    submit(late, "d")
    assert paths(server).count("getToken") == 2


def test_a_token_that_died_early_is_renewed_once_and_nothing_is_posted_twice(
    provider: MerciFacteur, bureau: Bureau, server: WebServer
) -> None:
    submit(provider, "a")
    bureau.expire()
    submit(provider, "b")
    assert len(bureau.taken) == 2
    bureau.expire()
    assert provider.check(at=NOW)


def test_a_wrong_secret_is_the_accounts_fault_and_hands_nothing_over(
    bureau: Bureau, server: WebServer
) -> None:
    provider = MerciFacteur(Keys(bureau.service, "wrong", 1), base=f"{server.url}/service")
    marks: list[int] = []
    with pytest.raises(DeliveryError) as fault:
        provider.submit(letter(), at=NOW, hand_over=lambda: marks.append(1))
    assert (fault.value.unreachable, marks) == (True, [])
    assert "BAD_SIGNATURE" in fault.value.answer


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b"<html>oops</html>", "text/html"),
        Reply(502, b""),
        Reply(200, b'{"success": tr'),
        Reply(200, b"[]"),
        Reply(200, b'{"hello": 1}'),
        Reply(200, b'{"success": "yes"}'),
    ],
    ids=["500", "502", "cut", "list", "other", "no boolean"],
)
def test_an_answer_that_says_nothing_clear_leaves_the_letter_in_doubt(
    provider: MerciFacteur, bureau: Bureau, reply: Reply
) -> None:
    """It may have been posted: never again by itself."""
    bureau.scripted.append(reply)
    with pytest.raises(DeliveryError) as fault:
        submit(provider)
    assert fault.value.uncertain


def test_a_server_that_is_away_is_known_not_to_have_it(bureau: Bureau, settings: Any) -> None:
    settings.SMTP_PRIVATE_NETWORKS = True
    with serving(bureau) as server:
        url = server.url
    provider = MerciFacteur(Keys("srv1", "s3cret", 1), base=f"{url}/service")
    with pytest.raises(DeliveryError) as fault:
        submit(provider)
    assert fault.value.unreachable
    known = MerciFacteur(
        Keys("srv1", "s3cret", 1),
        base=f"{url}/service",
        token="t",
        token_until=NOW + timedelta(hours=2),
    )
    with pytest.raises(DeliveryError) as fault:
        submit(known)
    assert (fault.value.unreachable, fault.value.uncertain) == (True, False)


def test_its_codes_are_told_in_our_words_and_unknown_ones_left_out(
    provider: MerciFacteur, bureau: Bureau
) -> None:
    ref = submit(provider).ref
    stamp = int(NOW.timestamp())
    codes = ["wait", "imprime", "pris_en_charge", "attente_au_guichet", "distribue_expediteur"]
    bureau.events[501] = [
        {"statut_courrier": code, "date_event": stamp + n, "statut_description": code}
        for n, code in enumerate([*codes, "jamais_vu"])
    ]
    bureau.events[501].append({"statut_courrier": "distribue", "date_event": "hier"})
    events = provider.status(ref, at=NOW)
    assert [event.status for event in events] == [
        tracking.QUEUED,
        tracking.PRINTED,
        tracking.POSTED,
        tracking.WAITING,
        tracking.RETURNED,
    ]


def test_proofs_are_asked_for_by_tracking_number_and_keep_their_kind(
    provider: MerciFacteur, bureau: Bureau
) -> None:
    ref = submit(provider, service="lrare").ref
    bureau.events[501] = [
        {"statut_courrier": "imprime", "date_event": 1, "tracking_number": "2C123"},
    ]
    bureau.proofs["2C123", "depot"] = ("pdf", b"%PDF depot")
    bureau.proofs["2C123", "reception"] = ("jpeg", b"\xff\xd8 signed")
    depot, reception = provider.proofs(ref, at=NOW)
    assert (depot.kind, depot.mime, depot.content) == ("deposit", "application/pdf", b"%PDF depot")
    assert (reception.kind, reception.mime) == ("receipt", "image/jpeg")
    bureau.proofs["2C123", "depot"] = ("exe", b"MZ")
    assert [proof.kind for proof in provider.proofs(ref, at=NOW)] == ["receipt"]


def test_a_price_that_cannot_be_read_is_none(provider: MerciFacteur, bureau: Bureau) -> None:
    bureau.price = "sur devis"
    assert submit(provider).price_cents is None
    bureau.price = "7,42"
    cents = provider.price(service="lrar", pages=2, colour=False, duplex=False, at=NOW)
    assert cents == 742


def call(*detail: Any, when: int = 1_581_674_000, **event: Any) -> dict[str, str]:
    known = {"name_event": "printed", "id_user": 17460, "date_event": when, **event}
    return {"event": json.dumps(known), "detail": json.dumps(list(detail))}


def test_a_call_back_names_the_letter_and_brings_its_proof() -> None:
    deposit = base64.b64encode(b"%PDF depot").decode()
    told = read_call(
        call(
            {"id_envoi": "501", "ref_interne": "abc", "statut_courrier": "imprime"},
            {"id_envoi": "501", "statut_courrier": "scan_pdd", "pdd_base64_pdf": deposit},
            {"id_envoi": "501", "statut_courrier": "jamais_vu"},
        )
    )
    assert [(one.ref, one.key, one.event.status) for one in told] == [
        ("501", "abc", "printed"),
        ("501", "", "deposit"),
    ]
    assert told[0].event.at == datetime(2020, 2, 14, 9, 53, 20, tzinfo=UTC)
    assert told[1].proof is not None
    assert told[1].proof.content == b"%PDF depot"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"event": "{}"},
        {"event": "{", "detail": "[]"},
        {"event": "[]", "detail": "[]"},
        {"event": "{}", "detail": "[]"},
        {"event": '{"date_event": 1}', "detail": "{}"},
        {"event": '{"date_event": 1}', "detail": "[3]"},
        {"event": '{"date_event": 1e300}', "detail": "[]"},
    ],
)
def test_a_call_back_that_is_none_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        read_call(form)

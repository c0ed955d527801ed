"""Paramètres › Canaux: connecting who posts letters and sends SMS, and what they call back."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.history.models import Event
from relance.ledger.models import Customer
from relance.outbox import provider_accounts, provider_care
from relance.outbox.channels.postal import accounts as postal_accounts
from relance.outbox.channels.postal import merci_facteur
from relance.outbox.channels.sms.accounts import secrets_of
from relance.outbox.channels.tracking import Event as Event_
from relance.outbox.channels.tracking import Proof
from relance.outbox.models import Message, PostalAccount, Pretended, SmsAccount, Status, Tracking
from relance.web.views.channels_forms import PostalForm, SmsForm
from tests.conftest import NOW
from tests.outbox.providers import Bureau
from tests.outbox.web_server import Reply, WebServer, serving

BASE = "/d/ateliers-kerdoncuff/"
PAGE = BASE + "parametres/canaux/"
BODY = '{"to": "{to}", "content": "{text}"}'


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture(autouse=True)
def _alone() -> None:
    cache.clear()


@pytest.fixture
def bureau(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bureau]:
    settings.SMTP_PRIVATE_NETWORKS = True
    bureau = Bureau()
    with serving(bureau) as server:
        init = merci_facteur.MerciFacteur.__init__

        def near(self: Any, keys: Any, **more: Any) -> None:
            init(self, keys, **{**more, "base": f"{server.url}/service"})

        monkeypatch.setattr(merci_facteur.MerciFacteur, "__init__", near)
        yield bureau


def post_typed(**changes: Any) -> dict[str, Any]:
    typed = {
        "provider": "merci_facteur",
        "service_id": "srv1",
        "user_id": "17460",
        "secret_key": "s3cret",
        "hook_key": "",
        "service": "normal",
        **changes,
    }
    return {"kind": "courrier"} | {f"courrier-{key}": value for key, value in typed.items()}


def sms_typed(url: str, **changes: Any) -> dict[str, Any]:
    typed = {
        "provider": "http",
        "sender": "KERDONCUFF",
        "url": url,
        "method": "POST",
        "kind": "json",
        "headers": "Authorization: Bearer s3cret",
        "body": BODY,
        "to_plus": "on",
        "ref_path": "id",
        "success": "200-299",
        "report_ref": "id",
        "status_path": "status",
        "delivered": "delivered",
        "failed": "failed",
        **changes,
    }
    return {"kind": "sms"} | {f"sms-{key}": value for key, value in typed.items()}


def test_letters_are_connected_tried_and_switched_on_in_three_steps(
    camille: Client, organisation: Organisation, bureau: Bureau
) -> None:
    organisation.address = "4 quai de l’Odet\n29000 QUIMPER"
    organisation.save()
    assert "Aucun prestataire" in said(camille.get(PAGE))
    assert camille.post(PAGE, post_typed()).status_code == 302
    account = PostalAccount.objects.get()
    assert "s3cret" not in account.secrets
    page = said(camille.get(PAGE))
    assert "Pas encore essayé" in page
    assert "s3cret" not in page
    camille.post(PAGE + "courrier/marche/", {"active": "1"})
    account.refresh_from_db()
    assert not account.active
    answer = camille.post(PAGE + "courrier/essai/", follow=True)
    assert "Lettre d’une page : 1,52 € hors taxes." in said(answer).replace("\u00a0", " ")
    assert bureau.taken == {}
    camille.post(PAGE + "courrier/marche/", {"active": "1"})
    account.refresh_from_db()
    assert account.active
    assert "Actif : Merci Facteur." in said(camille.get(PAGE)).replace("\u00a0", " ")
    camille.post(PAGE, post_typed(secret_key="", duplex="on"))
    account.refresh_from_db()
    assert (account.active, account.checked_at, account.duplex) == (False, None, True)
    assert postal_accounts.secrets_of(account)["secret_key"] == "s3cret"
    camille.post(PAGE + "courrier/retirer/")
    assert PostalAccount.objects.count() == 0
    kinds = Event.objects.filter(kind__startswith="channel_").values_list("kind", flat=True)
    assert list(kinds.order_by("seq")) == [
        "channel_saved",
        "channel_switched_on",
        "channel_saved",
        "channel_removed",
    ]


def test_a_wrong_key_is_said_in_the_providers_words(
    camille: Client, organisation: Organisation, bureau: Bureau
) -> None:
    camille.post(PAGE, post_typed(secret_key="wrong"))
    answer = camille.post(PAGE + "courrier/essai/", follow=True)
    assert "BAD_SIGNATURE" in said(answer)
    assert "Ce compte ne fonctionne pas." in said(answer)


def test_without_an_address_of_ones_own_nothing_is_posted(
    camille: Client, organisation: Organisation, bureau: Bureau
) -> None:
    camille.post(PAGE, post_typed())
    camille.post(PAGE + "courrier/essai/")
    answer = camille.post(PAGE + "courrier/marche/", {"active": "1"}, follow=True)
    assert "Écrivez d’abord l’adresse de l’entreprise" in said(answer)
    assert not PostalAccount.objects.get().active


@pytest.fixture
def gateway(settings: Any) -> Iterator[WebServer]:
    settings.SMTP_PRIVATE_NETWORKS = True
    with serving(lambda asked: Reply(201, b'{"id": "m-1"}')) as server:
        yield server


def test_sms_are_connected_by_recipe_and_tried_on_ones_own_phone(
    camille: Client, organisation: Organisation, gateway: WebServer
) -> None:
    assert camille.post(PAGE, sms_typed(gateway.url)).status_code == 302
    account = SmsAccount.objects.get()
    assert secrets_of(account) == ("Authorization: Bearer s3cret", BODY)
    assert "s3cret" not in said(camille.get(PAGE))
    answer = camille.post(PAGE + "sms/essai/", {"phone": "02 98 12 34 56"}, follow=True)
    assert "n’est pas un numéro de mobile" in said(answer)
    assert gateway.requests == []
    answer = camille.post(PAGE + "sms/essai/", {"phone": "06 12 34 56 78"}, follow=True)
    assert "SMS d’essai confié" in said(answer)
    assert json.loads(gateway.requests[0].body)["to"] == "+33612345678"
    camille.post(PAGE + "sms/marche/", {"active": "1"})
    account.refresh_from_db()
    assert account.active
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"body": "{pas json"}, "Ce n’est pas du JSON valable."),
        ({"body": '{"to": "{to}"}'}, "Il y manque {to} ou {text}"),
        ({"headers": "sans deux-points"}, "Écrivez un en-tête par ligne"),
        ({"success": "2xx"}, "Écrivez des codes HTTP"),
        ({"sender": "TROP LONG POUR UN SMS"}, "11"),
        ({"url": ""}, "Ce champ est obligatoire."),
        ({"url": "javascript:alert(1)"}, "Une adresse commence par https://."),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_where_it_is_wrong(
    camille: Client, organisation: Organisation, change: dict[str, str], words: str
) -> None:
    answer = camille.post(PAGE, sms_typed(**{"url": "https://sms.example/", **change}))
    assert (answer.status_code, SmsAccount.objects.count()) == (200, 0)
    assert words in said(answer)


def test_a_gateway_inside_is_not_called(camille: Client, organisation: Organisation) -> None:
    """Only https and public hosts, whatever an administrator types."""
    camille.post(PAGE, sms_typed("https://127.0.0.1:8000/"))
    answer = camille.post(PAGE + "sms/essai/", {"phone": "06 12 34 56 78"}, follow=True)
    assert "n’est pas sur le réseau public" in said(answer)
    assert "Error" not in said(answer)


def test_only_an_administrator_sees_and_changes_them(
    client: Client, colleague: User, stranger: User, organisation: Organisation
) -> None:
    PostalAccount.objects.create(organisation=organisation, provider="fake")
    for person, status in ((colleague, 403), (stranger, 404)):
        client.force_login(person)
        assert client.get(PAGE).status_code == status
        for deed in ("courrier/essai/", "courrier/marche/", "courrier/retirer/"):
            assert client.post(PAGE + deed).status_code == status
    assert PostalAccount.objects.count() == 1


@pytest.fixture
def sent(organisation: Organisation, customer: Customer) -> Callable[..., Message]:
    def sent(channel: str, ref: str) -> Message:
        return Message.objects.create(
            organisation=organisation,
            customer=customer,
            channel=channel,
            status=Status.SENT,
            on=NOW.date(),
            not_before=NOW,
            sent_at=NOW,
            sender="x",
            subject="Rappel",
            text="…",
            message_ref=f"<{channel}-{ref}@x>",
            made_at=NOW,
            provider_ref=ref,
            poll_after=NOW,
        )

    return sent


def test_what_the_posts_provider_calls_back_is_kept_once(
    client: Client, organisation: Organisation, sent: Callable[..., Message], customer: Customer
) -> None:
    """A letter that comes back marks the place; the level stays."""
    account = PostalAccount(organisation=organisation, provider="merci_facteur", active=True)
    postal_accounts.with_secrets(account, hook_key="k")
    account.save()
    message = sent("letter", "501")
    token = provider_accounts.call_token(organisation.pk, "letter")
    told = {
        "event": json.dumps({"date_event": int(NOW.timestamp())}),
        "detail": json.dumps([{"id_envoi": "501", "statut_courrier": "distribue_expediteur"}]),
    }
    address = f"{BASE}retour/courrier/{token}/"
    assert client.post(address, told).status_code == 404
    assert client.post(f"{BASE}retour/courrier/{'0' * 40}/", told).status_code == 404
    key = {"HTTP_X_MF_WEBHOOK_SECRET_KEY": "k"}
    for _again in range(2):
        assert client.post(address, told, **key).status_code == 200
    assert [row.status for row in Tracking.objects.all()] == ["returned"]
    customer.refresh_from_db()
    message.refresh_from_db()
    assert customer.address_invalid_since == NOW.date()
    assert (message.status, message.poll_after) == (Status.SENT, None)
    assert Event.objects.filter(kind="message_tracked").count() == 1
    assert client.post(address, {"event": "{"}, **key).status_code == 400


def test_a_delivery_report_of_an_sms_is_read_by_its_recipe(
    client: Client, organisation: Organisation, sent: Callable[..., Message], customer: Customer
) -> None:
    recipe = {"report_ref": "id", "status_path": "status", "failed": "failed"}
    SmsAccount.objects.create(organisation=organisation, provider="http", recipe=recipe)
    sent("sms", "m-1")
    token = provider_accounts.call_token(organisation.pk, "sms")
    address = f"{BASE}retour/sms/{token}/"
    answer = client.post(address, '{"id": "m-1", "status": "FAILED"}', "application/json")
    assert answer.status_code == 200
    client.get(address + "?id=m-1&status=failed")
    client.get(address + "?id=unknown&status=failed")
    assert [row.status for row in Tracking.objects.all()] == ["error"]
    customer.refresh_from_db()
    assert customer.phone_invalid_since == NOW.date()


def test_the_panel_of_a_message_tells_its_course_and_opens_its_proofs(
    camille: Client, stranger: User, sent: Callable[..., Message]
) -> None:
    message = sent("registered_letter", "501")
    provider_care.remember(
        message,
        [Event_(NOW, "queued"), Event_(NOW, "delivered")],
        [Proof("receipt", "application/pdf", b"%PDF AR")],
    )
    page = said(camille.get(f"{BASE}messages/{message.pk}/"))
    assert "Pris en compte" in page
    assert "Distribué" in page
    kept = Tracking.objects.exclude(proof="").get()
    address = f"{BASE}messages/{message.pk}/suivi/{kept.pk}/"
    assert address in page
    answer = camille.get(address)
    assert b"".join(answer.streaming_content) == b"%PDF AR"  # type: ignore[attr-defined]
    assert camille.get(f"{BASE}messages/{message.pk}/suivi/999/").status_code == 404
    camille.force_login(stranger)
    assert camille.get(address).status_code == 404


def test_a_letter_is_taken_back_while_its_provider_still_can(
    camille: Client, organisation: Organisation, sent: Callable[..., Message]
) -> None:
    PostalAccount.objects.create(organisation=organisation, provider="fake", active=True)
    held = Pretended.objects.create(
        organisation=organisation, channel="letter", key="k", what={"to": []}, at=NOW
    )
    message = sent("letter", held.ref)
    page = said(camille.get(f"{BASE}messages/{message.pk}/"))
    assert "Demande d’annulation" not in page
    answer = camille.post(f"{BASE}messages/{message.pk}/reprendre/", follow=True)
    assert "Demande d’annulation acceptée" in said(answer)
    assert "Annulé chez le prestataire" in said(camille.get(f"{BASE}messages/{message.pk}/"))
    assert "Annulé chez le prestataire" in said(camille.get(f"{BASE}envois/?etat=partis"))
    record = said(camille.get(f"{BASE}clients/{message.customer_id}/"))
    assert "Annulé chez le prestataire" in record
    answer = camille.post(f"{BASE}messages/{message.pk}/reprendre/", follow=True)
    assert "Trop tard" in said(answer)


def test_a_demonstration_posts_and_sends_nothing(
    camille: Client, organisation: Organisation, settings: Any
) -> None:
    settings.DEMO = True
    camille.post(PAGE, sms_typed("https://sms.example/"))
    camille.post(PAGE + "sms/essai/", {"phone": "06 12 34 56 78"})
    assert Pretended.objects.get().what["to"] == "+33612345678"


def test_a_key_stays_with_the_host_it_was_typed_for(
    camille: Client, organisation: Organisation
) -> None:
    """Whoever changes where it would be sent types it anew, like the password of a mailbox."""
    camille.post(PAGE, sms_typed("https://sms.example/v1", status_url="https://sms.example/{ref}"))
    for changes in (
        {"url": "https://elsewhere.example/"},
        {"status_url": "https://x.example/{ref}"},
    ):
        typed = {"url": "https://sms.example/v2", "headers": "", **changes}
        answer = camille.post(PAGE, sms_typed(**typed))
        assert "saisissez-les de nouveau" in said(answer)
    account = SmsAccount.objects.get()
    assert account.url == "https://sms.example/v1"
    assert camille.post(PAGE, sms_typed("https://sms.example/v2", headers="")).status_code == 302
    account.refresh_from_db()
    assert secrets_of(account)[0] == "Authorization: Bearer s3cret"
    moved = sms_typed("https://elsewhere.example/", headers="X-Key: other")
    assert camille.post(PAGE, moved).status_code == 302


def test_keys_survive_a_change_of_the_secret_key_and_one_that_is_lost_is_typed_anew(
    camille: Client, client: Client, organisation: Organisation, settings: Any
) -> None:
    camille.post(PAGE, post_typed())
    camille.post(PAGE, sms_typed("https://sms.example/"))
    before = provider_accounts.call_token(organisation.pk, "sms")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert provider_accounts.is_call_token(before, organisation.pk, "sms")
    assert provider_accounts.rekey() == 2
    settings.SECRET_KEY_FALLBACKS = []
    assert secrets_of(SmsAccount.objects.get())[0] == "Authorization: Bearer s3cret"
    assert not provider_accounts.is_call_token(before, organisation.pk, "sms")

    settings.SECRET_KEY = "lost"
    forms = (PostalForm(PostalAccount.objects.get()), SmsForm(SmsAccount.objects.get()))
    assert not any(form.kept for form in forms)
    for kind, name in (("letter", "courrier"), ("sms", "sms")):
        token = provider_accounts.call_token(organisation.pk, kind)
        assert client.post(f"{BASE}retour/{name}/{token}/", {}).status_code == 503


def test_a_report_that_comes_before_we_know_that_it_left_is_asked_for_again(
    client: Client,
    organisation: Organisation,
    sent: Callable[..., Message],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An SMS that was not delivered counts no more, however fast that is told, and how often."""
    recipe = {"report_ref": "id", "status_path": "status", "failed": "failed"}
    SmsAccount.objects.create(organisation=organisation, provider="http", recipe=recipe)
    message = sent("sms", "m-1")
    mine = Message.objects.filter(pk=message.pk)
    mine.update(status=Status.SENDING)
    token = provider_accounts.call_token(organisation.pk, "sms")
    report = f"{BASE}retour/sms/{token}/?id=m-1&status=failed"
    assert client.get(report).status_code == 503
    assert Tracking.objects.count() == 0
    for life in (1, 2):
        handed = NOW + timedelta(hours=life)
        mine.update(status=Status.SENT, handed_at=handed)
        monkeypatch.setattr("relance.accounts.clock.now", lambda at=handed: at)
        assert client.get(report).status_code == 200
        message.refresh_from_db()
        assert message.status == Status.BOUNCED


def test_what_is_told_and_cannot_be_followed_is_not_known_yet(
    client: Client,
    organisation: Organisation,
    sent: Callable[..., Message],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that dies in between: the provider tells it again, and then it counts."""
    recipe = {"report_ref": "id", "status_path": "status", "failed": "failed"}
    SmsAccount.objects.create(organisation=organisation, provider="http", recipe=recipe)
    message = sent("sms", "m-1")
    token = provider_accounts.call_token(organisation.pk, "sms")
    report = f"{BASE}retour/sms/{token}/?id=m-1&status=failed"
    with monkeypatch.context() as broken:
        broken.setattr("relance.dunning.daily.bounces.bounced", lambda *_args: 1 / 0)
        client.raise_request_exception = False
        assert client.get(report).status_code == 500
    message.refresh_from_db()
    assert (message.status, Tracking.objects.count()) == (Status.SENT, 0)
    assert client.get(report).status_code == 200
    message.refresh_from_db()
    assert message.status == Status.BOUNCED

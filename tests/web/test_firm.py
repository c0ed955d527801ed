"""The espace expert: all the dossiers of a firm, one request or many, and the calendar."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from relance.accounts.models import Firm, FirmMembership, Organisation, User
from relance.outbox.models import Message
from relance.receipts import automatic
from relance.receipts.models import FileSchedule, FirmSchedule, Request, Round, RoundLine
from relance.receipts.services import rounds
from relance.receipts.services.answers import answer_no
from relance.receipts.services.sending import send_request
from tests.conftest import NOW, TODAY, at
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db


def page_of(client: Client, firm: Firm, rest: str = "") -> str:
    answer = client.get(f"/cabinet/{firm.pk}/{rest}")
    assert answer.status_code == 200
    return str(answer.content.decode()).replace("\u00a0", " ").replace("\u202f", " ")


def many(firm: Firm, bring: Bring, add_client: AddClient, count: int) -> list[Organisation]:
    made = []
    for n in range(count):
        one = Organisation.objects.create(name=f"Dossier {n:03d}", slug=f"d{n}", firm=firm)
        for _k in range(n % 3):
            bring(of=one)
        if n % 2:
            add_client(f"c{n}", of=one)
        made.append(one)
    return made


def test_all_the_dossiers_are_read_in_few_queries(
    anne: Client,
    firm: Firm,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-01, S0-02: as many queries for sixty dossiers as for six."""
    counts = []
    for more in (6, 60):
        Organisation.objects.all().delete()
        User.objects.filter(email__startswith="c").delete()
        many(firm, bring, add_client, more)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page_of(anne, firm)
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 1 < 25


def test_each_line_tells_what_is_missing_and_who_answers(
    anne: Client,
    firm: Firm,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    accountant: User,
) -> None:
    rows = [bring(-10000, on=date(2024, 2, 3)), bring(-5000)]
    send_request(
        organisation=dossier,
        kind="manual",
        rows=rows,
        users=[add_client()],
        on=TODAY,
        now=NOW,
        actor=accountant,
    )
    answer_no(row=rows[1], kind="none", by="Yann", on=TODAY, now=NOW)
    page = page_of(anne, firm)
    line = page[page.index("<tbody>") : page.index("</tbody>")]
    for words in ("Brasserie du Port", "100,00 €", "3 févr. 2024", "50 %", "1 réponse"):
        assert words in line, words


def test_filters_and_order_are_those_of_the_database(
    anne: Client,
    firm: Firm,
    bring: Bring,
    add_client: AddClient,
) -> None:
    many(firm, bring, add_client, 6)

    def names(rest: str) -> list[str]:
        return re.findall(r'data-row-link href="/d/[^"]+">(Dossier \d+)', page_of(anne, firm, rest))

    assert names("?sort=dossier") == [f"Dossier {n:03d}" for n in range(6)]
    assert names("?sort=-manquants")[:2] == ["Dossier 002", "Dossier 005"]
    assert names("?etat=jour") == ["Dossier 000", "Dossier 003"]
    assert names("?etat=erreur") == ["Dossier 002", "Dossier 004"]
    assert names("?q=004") == ["Dossier 004"]
    assert len(names("?sort=%27;drop&etat=x&page=-9")) == 6


def test_a_dossier_nobody_can_answer_for_stands_out_with_its_remedy(
    anne: Client,
    firm: Firm,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-37: on its line, and it cannot be ticked."""
    bring()
    add_client(wants=False)
    page = page_of(anne, firm)
    assert "Aucun destinataire" in page
    assert "/d/brasserie/parametres/utilisateurs/" in page
    assert re.search(r'name="dossier" value="\d+"[^>]* disabled', page)


def test_one_request_to_many_shows_what_leaves_then_its_progress_then_its_result(
    anne: Client,
    firm: Firm,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-02, S0-29: one e-mail for each dossier, refused ones with their reason."""
    made = many(firm, bring, add_client, 30)
    keys = [one.pk for one in made]
    query = "&".join(f"dossier={key}" for key in keys)
    preview = page_of(anne, firm, f"demander/?{query}")
    assert "10 e-mails, 10 personnes, 15 justificatifs" in preview
    assert preview.count("Rien ne manque sur cette période.") == 10
    started = anne.post(f"/cabinet/{firm.pk}/demander/envoi/", {"dossier": keys})
    shown = anne.get(started.headers["Location"]).content.decode()
    assert "10 sur 30" in shown
    assert "hx-trigger" in shown
    rounds.work(NOW)
    rounds.work(NOW)
    assert Message.objects.count() == 10
    assert Round.objects.get().status == "done"
    done = anne.get(started.headers["Location"]).content.decode()
    assert "30 sur 30" in done
    assert "hx-trigger" not in done
    assert done.count("Personne ne peut recevoir la demande") == 10


def test_two_rounds_at_once_ask_each_dossier_once(
    firm: Firm,
    accountant: User,
    bring: Bring,
    add_client: AddClient,
) -> None:
    made = many(firm, bring, add_client, 6)
    both = [
        rounds.open_round(firm=firm, organisations=made, actor=accountant, now=NOW)
        for _n in range(2)
    ]
    for one in both:
        rounds.advance(one, now=NOW)
    asked = list(Request.objects.values_list("organisation_id", flat=True))
    assert len(asked) == len(set(asked)) == 2
    assert both[1].lines.filter(detail__contains="vient d’être envoyée").count() == 2


def test_one_dossier_that_breaks_keeps_none_of_the_others_from_theirs(
    firm: Firm,
    accountant: User,
    bring: Bring,
    add_client: AddClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = many(firm, bring, add_client, 6)
    round_ = rounds.open_round(firm=firm, organisations=made, actor=accountant, now=NOW)
    send = rounds.send_request

    def breaking(**facts: Any) -> Request:
        if facts["organisation"] == made[1]:
            raise RuntimeError("disk full")
        return send(**facts)

    monkeypatch.setattr(rounds, "send_request", breaking)
    rounds.work(NOW)
    assert Round.objects.get().status == "done"
    assert Request.objects.get().organisation == made[5]
    broken = round_.lines.get(organisation=made[1])
    assert (broken.status, broken.detail[:10]) == ("refused", "Une erreur")


def test_who_has_lost_his_access_meanwhile_asks_nobody(
    firm: Firm, accountant: User, bring: Bring, add_client: AddClient
) -> None:
    """His rights are asked again when the work is done; so is whose the dossier is."""
    made = many(firm, bring, add_client, 6)
    first = rounds.open_round(firm=firm, organisations=made[:2], actor=accountant, now=NOW)
    rounds.open_round(firm=firm, organisations=made[2:], actor=accountant, now=NOW)
    Organisation.objects.filter(pk=made[1].pk).update(firm=None)
    rounds.advance(first, now=NOW)
    FirmMembership.objects.all().delete()
    rounds.work(NOW)
    assert not Request.objects.exists()
    refused = RoundLine.objects.filter(detail__contains="n’a plus accès à ce dossier")
    assert refused.count() == 5
    assert RoundLine.objects.exclude(status="refused").count() == 0


def test_a_round_is_stopped_and_the_rest_is_spared(
    anne: Client, firm: Firm, bring: Bring, add_client: AddClient
) -> None:
    """« Arrêter »: what left has left; twice changes nothing."""
    made = many(firm, bring, add_client, 30)
    keys = [one.pk for one in made]
    started = anne.post(f"/cabinet/{firm.pk}/demander/envoi/", {"dossier": keys})
    page = started.headers["Location"]
    assert "Arrêter" in anne.get(page).content.decode()
    stopped = anne.post(f"{page}arreter/", follow=True).content.decode()
    assert "20 dossiers ne sont pas demandés" in stopped.replace("\u00a0", " ")
    assert stopped.count("Arrêté avant son tour.") == 20
    sent = Request.objects.count()
    rounds.work(NOW)
    anne.get(page)
    assert "Tout était déjà fait" in anne.post(f"{page}arreter/", follow=True).content.decode()
    assert (Request.objects.count(), Round.objects.get().status) == (sent, "cancelled")


def save(client: Client, firm: Firm, days: list[int], **more: object) -> int:
    data = {"actives": "on", "jour": days, **more}
    return client.post(f"/cabinet/{firm.pk}/parametres/", data).status_code


def test_the_box_then_one_or_two_days_of_thirty_one(anne: Client, firm: Firm) -> None:
    """S0-10, S0-16, S0-17, S0-18: never none, never three; 29, 30 and 31 may be chosen."""
    page = page_of(anne, firm, "parametres/")
    assert "activer les relances automatiques" in page
    assert re.search(r'<fieldset[^>]* id="unlocked" disabled', page)
    assert re.findall(r'name="jour" value="(\d+)"', page) == [str(n) for n in range(1, 32)]
    assert save(anne, firm, [1, 2, 3]) == 422
    assert save(anne, firm, [45]) == 422
    assert not FirmSchedule.objects.filter(enabled=True).exists()
    assert save(anne, firm, [31, 5]) == 302
    row = FirmSchedule.objects.get()
    assert (row.enabled, row.first_day, row.second_day, row.enabled_on) == (True, 5, 31, TODAY)
    assert 'id="unlocked">' in page_of(anne, firm, "parametres/")
    assert save(anne, firm, []) == 422
    anne.post(f"/cabinet/{firm.pk}/parametres/", {})
    row.refresh_from_db()
    assert (row.enabled, row.first_day, row.second_day) == (False, 5, 31)


def test_a_sentence_says_what_the_thirtieth_does_in_february(
    anne: Client,
    firm: Firm,
) -> None:
    """S0-19, S0-20, D-01."""
    save(anne, firm, [30])
    page = page_of(anne, firm, "parametres/")
    assert "l’e-mail du 30 part le dernier jour : 28 févr. 2027" in page
    save(anne, firm, [30, 31])
    assert "n’en font qu’un" in page_of(anne, firm, "parametres/")


def test_one_dossier_has_its_own_days_none_or_a_start(
    anne: Client,
    firm: Firm,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """D-03, and the list shows its own next date."""
    bring()
    add_client()
    save(anne, firm, [30])
    assert "30 nov." in page_of(anne, firm)
    url = f"/cabinet/{firm.pk}/dossiers/{dossier.pk}/calendrier/"
    data = {"mode": "own", "jour": [28], "depuis": "2026-01-01", "second": "b@port.example"}
    assert anne.post(url, data).status_code == 302
    row = FileSchedule.objects.get()
    assert (row.mode, row.first_day, row.second_day) == ("own", 28, None)
    assert row.starting_on == date(2026, 1, 1)
    assert "28 nov." in page_of(anne, firm)
    assert anne.post(url, {**data, "second": "no address"}).status_code == 422
    assert anne.post(url, {**data, "depuis": "2026-02-31"}).status_code == 422
    assert anne.post(url, {"mode": "off"}).status_code == 302
    assert "à la main" in page_of(anne, firm)


def test_the_second_contact_is_added_after_silence_only(
    anne: Client,
    firm: Firm,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
) -> None:
    row = bring(on=date(2026, 1, 1))
    client = add_client()
    FirmSchedule.objects.create(
        firm=firm,
        enabled=True,
        first_day=5,
        second_day=20,
        enabled_on=date(2026, 1, 1),
        second_after=2,
    )
    FileSchedule.objects.create(organisation=dossier, second_contact="b@port.example")
    for day in (date(2026, 1, 5), date(2026, 1, 20), date(2026, 2, 5)):
        automatic.tick(at(day) + timedelta(hours=2))
    recipients = list(Message.objects.order_by("pk").values_list("recipients", flat=True))
    assert recipients == [[client.email], [client.email], [client.email, "b@port.example"]]
    bring(on=date(2026, 1, 2))
    door = Request.objects.order_by("-pk")[0].door
    answer_no(row=row, kind="none", by="yann", on=TODAY, now=NOW, door=door)
    automatic.tick(at(date(2026, 2, 20)) + timedelta(hours=2))
    assert Message.objects.order_by("-pk")[0].recipients == [client.email]


def test_answers_of_all_dossiers_are_summed_up(
    anne: Client,
    firm: Firm,
    bring: Bring,
) -> None:
    row = bring(label="METRO")
    answer_no(row=row, kind="not_mine", by="Yann", on=TODAY, now=NOW)
    page = page_of(anne, firm, "reponses/")
    assert "Brasserie du Port" in page
    key = re.search(r'name="une" value="(\d+)"', page)
    assert key
    anne.post(f"/cabinet/{firm.pk}/reponses/geste/", {"une": key[1], "geste": "redemander"})
    row.refresh_from_db()
    assert row.missing
    assert "Aucune réponse n’attend" in page_of(anne, firm, "reponses/")


def test_a_firm_is_not_there_for_strangers_and_clients(
    client: Client,
    firm: Firm,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    owner: User,
) -> None:
    """404 at every address, and nothing changes; another firm's accountant neither."""
    bring()
    elsewhere = Firm.objects.create(name="Autre")
    other = User.objects.create_user("autre@x.example", "motdepasse1")
    FirmMembership.objects.create(firm=elsewhere, user=other, is_admin=True)
    round_ = Round.objects.create(firm=firm, made_at=NOW)
    paths = [
        "",
        "demander/",
        "demander/envoi/",
        f"envois/{round_.pk}/",
        f"envois/{round_.pk}/arreter/",
        "demandes/",
        "reponses/",
        "reponses/geste/",
        "parametres/",
        f"dossiers/{dossier.pk}/calendrier/",
    ]
    for user in (owner, add_client(), other):
        client.force_login(user)
        for path in paths:
            for method in (client.get, client.post):
                answer = method(f"/cabinet/{firm.pk}/{path}", {"dossier": dossier.pk})
                assert answer.status_code in (404, 405), (user, path)
    theirs = client.post(f"/cabinet/{elsewhere.pk}/demander/envoi/", {"dossier": dossier.pk})
    assert theirs.status_code == 302
    away = f"/cabinet/{elsewhere.pk}/dossiers/{dossier.pk}/calendrier/"
    assert client.get(away).status_code == 404
    assert not Request.objects.exists()
    assert Round.objects.count() == 1


def test_only_its_administrators_change_the_calendar_of_a_firm(
    client: Client,
    firm: Firm,
) -> None:
    user = User.objects.create_user("zoe@morel.example", "motdepasse1")
    FirmMembership.objects.create(firm=firm, user=user)
    client.force_login(user)
    assert "Seul un administrateur du cabinet" in page_of(client, firm, "parametres/")
    assert save(client, firm, [5]) == 403
    assert client.get("/").headers["Location"] == f"/cabinet/{firm.pk}/"

"""The commands that a person types: run, explain, doctor."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from relance.accounts.models import Organisation, User
from relance.accounts.services import found_organisation
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Entry, Outlook, Plan
from relance.ledger.models import Customer, Invoice
from relance.ops.smtp_sink import Sink
from tests.conftest import NOW, TODAY, make_customer, make_invoice


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW)


@pytest.fixture
def late(customer: Customer) -> Invoice:
    return make_invoice(customer, "F-1", TODAY - timedelta(days=7), 250_00)


def test_run_decides_and_send_delivers_over_smtp(
    late: Invoice, settings: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Item 5 of the house: the pass by hand, then real mail."""
    sink = Sink(tmp_path_factory.mktemp("sink"))
    sink.start()
    try:
        settings.EMAIL_PORT = sink.port  # type: ignore[attr-defined]
        assert "1 messages en file" in said("run")
        assert "1 partis" in said("run", "--send")
        [stored] = list(sink.mails())
        mail = stored.mail()
    finally:
        sink.stop()
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "250,00" in str(mail["Subject"])
    assert Entry.objects.get().level == 2


def test_run_does_not_go_back_before_a_day_already_done(late: Invoice) -> None:
    said("run")
    with pytest.raises(CommandError, match="on ne revient pas avant"):
        said("run", "--date", (TODAY - timedelta(days=1)).isoformat())


def test_explain_says_why_with_what_to_do(late: Invoice) -> None:
    """A1 in the terminal."""
    late.disputed = True
    late.save()
    told = said("explain", "Delmas")
    assert "NOTHING_CHASEABLE" in told
    assert "DISPUTED F-1" in told


def test_explain_names_the_customers_that_it_could_mean(
    organisation: Organisation, plan: Plan
) -> None:
    make_customer(organisation, plan, "Garage Lemoine", code="G1")
    make_customer(organisation, plan, "Garage Le Roux", code="G2")
    with pytest.raises(CommandError, match=r"G1 .*G2"):
        said("explain", "Garage")
    with pytest.raises(CommandError, match="Aucun client"):
        said("explain", "Inconnu")


def test_a_command_asks_which_dossier_when_there_are_several(late: Invoice, owner: User) -> None:
    found_organisation(name="Autre", owner=owner)
    with pytest.raises(CommandError, match="autre"):
        said("run")
    assert "messages en file" in said("run", "--organisation", "ateliers-kerdoncuff")


def test_doctor_is_content_then_names_each_difference(late: Invoice) -> None:
    refreshing.refresh(late.organisation, [late.customer_id], on=TODAY, now=NOW)
    assert "Tout concorde" in said("doctor")
    Invoice.objects.update(balance_cents=1)
    Outlook.objects.update(code="NO_PLAN")
    with pytest.raises(CommandError, match="2 différences"):
        said("doctor")


def test_the_day_starts_at_the_hour_once_and_not_at_night(
    late: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D-14, and a missed day is caught up the same day until the evening."""
    morning = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    assert run.tick(morning) == []
    assert [record.queued for record in run.tick(NOW)] == [1]
    assert run.tick(NOW + timedelta(minutes=5)) == []
    assert run.tick(datetime(2026, 11, 25, 22, 0, tzinfo=UTC)) == []
    assert len(run.tick(datetime(2026, 11, 26, 15, 0, tzinfo=UTC))) == 1

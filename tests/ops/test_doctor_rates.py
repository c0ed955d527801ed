"""relance doctor says which rate of the present semester is missing: it is no difference."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command

from relance.accounts import clock
from relance.accounts.models import Organisation

pytestmark = pytest.mark.django_db


def told(monkeypatch: pytest.MonkeyPatch, on: datetime) -> str:
    monkeypatch.setattr(clock, "now", lambda: on)
    out = StringIO()
    call_command("doctor", stdout=out)
    return out.getvalue()


def test_a_semester_without_a_rate_is_told(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = told(monkeypatch, datetime(2027, 2, 1, tzinfo=UTC))
    assert "Le taux de la BCE du 1er semestre 2027" in said
    assert "Le taux de l’intérêt légal du 1er semestre 2027" in said
    assert "Tout concorde." in said


def test_a_semester_whose_rates_are_known_is_not_told(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Taux manquant" not in told(monkeypatch, datetime(2026, 3, 1, tzinfo=UTC))

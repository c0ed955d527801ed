"""The firm of the demonstration shows what the source's example counts (S0-24)."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from relance.accounts.models import Organisation
from relance.ops.demo.firm import BRASSERIE, found_firm
from relance.ops.smtp_sink import Sink
from relance.receipts.models import Answer, Request
from relance.receipts.services.asking import to_validate

pytestmark = pytest.mark.django_db


def test_eighteen_over_two_years_and_five_in_october(tmp_path: Path, settings) -> None:
    """S0-24, and one answer waits."""
    sink = Sink(tmp_path / "mails")
    sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.MEDIA_ROOT = tmp_path / "media"
    found_firm(until=datetime(2026, 11, 24, 7, 40, tzinfo=UTC))
    sink.stop()
    dossier = Organisation.objects.get(name=BRASSERIE)
    both = to_validate(dossier, date(2024, 1, 1), date(2025, 12, 31))
    october = to_validate(dossier, date(2024, 10, 1), date(2024, 10, 31))
    assert (both.count(), october.count()) == (18, 5)
    assert sorted(october.values_list("missing", flat=True)) == [
        "not_associated",
        "not_associated",
        "partial",
        "potential",
        "without_document",
    ]
    assert Request.objects.get().count == 19
    assert Answer.objects.get(handled_at=None).by == "Yann Corre"
    assert len(list(sink.mails())) == 1

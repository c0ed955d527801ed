"""What the demonstration takes from the environment that it is started in."""

import os
from pathlib import Path

import pytest

from relance.ops.demo.launch import INBOUND, surround


@pytest.mark.parametrize(("given", "kept"), [("", INBOUND), ("c@port.example", "c@port.example")])
def test_the_demonstration_receives_mail(
    given: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S0-33: at the address that was given, else at its own; nothing else of Relance is kept."""
    monkeypatch.setattr(os, "environ", {"RELANCE_INBOUND": given, "RELANCE_SMTP_USER": "true"})
    surround(tmp_path, 2525)
    assert os.environ["RELANCE_INBOUND"] == kept
    assert "RELANCE_SMTP_USER" not in os.environ

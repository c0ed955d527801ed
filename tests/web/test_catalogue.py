"""The interface in English: a complete catalogue, and pages that speak it."""

import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import polib
import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import deactivate, override

from relance.accounts.models import Organisation, User
from relance.engine import plan_rules, wording
from relance.formats import sentences
from relance.web import french
from tests.conftest import NOW

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_messages.py"
ENGLISH = {"Accept-Language": "en-GB,en;q=0.9"}


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    """The script that `make check` runs, as a module."""
    spec = importlib.util.spec_from_file_location("check_messages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fresh(checker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> polib.POFile:
    """What the sources say today."""
    assert shutil.which("xgettext"), "xgettext is missing: install the package gettext"
    found: polib.POFile = checker.extract(tmp_path_factory.mktemp("sources"))
    return found


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A request leaves its language to the thread: the next test starts without one."""
    yield
    deactivate()


@pytest.fixture
def in_english(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW)
    return Client(headers=ENGLISH)


def heading(page: str) -> str:
    """The text of the one main heading of a page."""
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    return re.sub(r"<[^>]+>", "", found).strip()


def test_every_french_string_has_its_english(checker: ModuleType, fresh: polib.POFile) -> None:
    assert list(checker.faults(fresh, checker.load())) == []


def test_sentences_of_the_pure_rooms_are_extracted_as_they_are_looked_up(
    fresh: polib.POFile,
) -> None:
    wanted = {*wording.SENTENCES.values(), *wording.ADVICE.values()}
    wanted |= set(plan_rules.SENTENCES.values())
    wanted |= {text for _severity, text in sentences.SENTENCES.values()}
    assert wanted <= {entry.msgid for entry in fresh}


@pytest.mark.parametrize(
    ("msgid", "msgstr", "fault"),
    [
        ("%(n)d jours", "%(n)d days", ""),
        ("%(n)d jours", "days", "other placeholders"),
        ("le {until}", "on {day}", "other placeholders"),
        ("Écrivez {{ client.nom }}", "Write {{ customer.name }}", "other placeholders"),
        (" et ", " and ", ""),
        (" et ", "and ", "other spaces at an end"),
        ("Clients", "", "not translated"),
    ],
)
def test_a_translation_that_would_break_its_sentence_is_a_fault(
    checker: ModuleType, msgid: str, msgstr: str, fault: str
) -> None:
    found = list(checker.entry_faults(polib.POEntry(msgid=msgid, msgstr=msgstr)))
    assert [line.partition(":")[0] for line in found] == ([fault] if fault else [])


def test_each_plural_form_keeps_the_placeholders_of_its_own_french(checker: ModuleType) -> None:
    entry = polib.POEntry(
        msgid="Voir l’autre message",
        msgid_plural="Voir les %(n)s autres messages",
        msgstr_plural={0: "See the other message", 1: "See the %(n)s other messages"},
    )
    assert list(checker.entry_faults(entry)) == []
    entry.msgstr_plural[1] = "See the other messages"
    assert len(list(checker.entry_faults(entry))) == 1


def test_a_string_missing_from_the_catalogue_or_no_longer_used_is_a_fault(
    checker: ModuleType, fresh: polib.POFile
) -> None:
    stored = checker.load()
    stored.remove(stored.find("Tableau de bord"))
    stored.append(polib.POEntry(msgid="Minitel", msgstr="Minitel"))
    found = "\n".join(checker.faults(fresh, stored))
    assert "not in the catalogue: 'Tableau de bord'" in found
    assert "no longer used: 'Minitel'" in found
    assert "django.mo is older than django.po" in found


@pytest.mark.django_db
def test_a_browser_that_prefers_english_is_greeted_in_english(
    in_english: Client, owner: User
) -> None:
    page = in_english.get(reverse("login")).content.decode()
    assert heading(page) == "Hello"
    assert '<html lang="en">' in page


@pytest.mark.django_db
def test_any_other_language_is_answered_in_french(client: Client, owner: User) -> None:
    page = client.get(reverse("login"), headers={"Accept-Language": "de"}).content.decode()
    assert heading(page) == "Bonjour"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("today", "Tuesday 24 November"),
        ("dashboard", "Dashboard"),
        ("customer_list", "Customers"),
        ("action_list", "Actions"),
        ("plan_list", "Reminder plans"),
        ("template_list", "Templates"),
        ("outbox_list", "Outbox"),
        ("import_list", "Imports"),
    ],
)
def test_every_place_of_the_navigation_is_headed_in_english(
    in_english: Client, organisation: Organisation, owner: User, name: str, title: str
) -> None:
    User.objects.filter(pk=owner.pk).update(language="en")
    in_english.force_login(owner)
    response = in_english.get(reverse(name, args=[organisation.slug]))
    assert response.status_code == 200
    assert heading(response.content.decode()).replace(french.NBSP, " ").startswith(title)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (lambda day: french.date_text(day), "1~Dec~2026"),
        (lambda day: french.date_text(day, day), "1~Dec"),
        (lambda day: french.date_text(day, day, "weekday"), "Tue~1~Dec"),
        (lambda day: french.date_text(day, day, "long"), "Tuesday~1~December"),
        (lambda day: french.relative_day(day, date(2026, 12, 4)), "3~d"),
        (lambda day: french.relative_day(day, date(2026, 12, 4), "event"), "Tue"),
        (lambda day: french.relative_day(day, date(2026, 11, 28)), "in~3~d"),
    ],
)
def test_dates_are_written_in_english_words(written: Callable[[date], str], text: str) -> None:
    with override("en"):
        assert written(date(2026, 12, 1)).replace(french.NBSP, "~") == text


def test_amounts_keep_their_french_writing_in_english() -> None:
    with override("en"):
        assert french.money(123_456) == f"1{french.NNBSP}234,56{french.NBSP}€"

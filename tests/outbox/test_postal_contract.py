"""What every provider of letters does, the pretended one and the real one alike (spec C3)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation
from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.base import PostalProvider
from relance.outbox.channels.postal.fake import FakePostal
from relance.outbox.channels.postal.merci_facteur import Keys, MerciFacteur
from relance.outbox.channels.tracking import AlreadyTakenError, CannotTellError
from relance.outbox.models import Pretended

from .conftest import NOW
from .providers import Bureau, letter
from .web_server import Reply, serving

pytestmark = pytest.mark.django_db


@dataclass
class Case:
    """A provider, how many letters its other side holds, and how to make it fail or go on."""

    provider: PostalProvider
    held: Callable[[], int]
    fail: Callable[[str], None]
    printed: Callable[[str], datetime]


@pytest.fixture(params=["fake", "merci_facteur"])
def case(request: Any, organisation: Organisation, settings: Any) -> Iterator[Case]:
    if request.param == "fake":
        provider = FakePostal(organisation.pk)
        errors = {
            "refused": DeliveryError("non", permanent=True),
            "later": DeliveryError("plus tard"),
            "lost": DeliveryError("perdu", uncertain=True),
            "account": DeliveryError("solde", unreachable=True),
        }
        yield Case(
            provider,
            Pretended.objects.count,
            lambda how: provider.faults.append(errors[how]),
            lambda ref: NOW + timedelta(days=4),
        )
        return
    settings.SMTP_PRIVATE_NETWORKS = True
    bureau = Bureau()
    replies = {
        "refused": Reply(400, b'{"success": false, "error": {"code": "LETTER_INVALID_FILES"}}'),
        "later": Reply(429, b"slow down", "text/plain"),
        "lost": Reply(hang=True),
        "account": Reply(400, b'{"success": false, "error": {"code": "NOT_ENOUGH_CREDIT"}}'),
    }
    with serving(bureau) as server:
        keys = Keys(bureau.service, bureau.secret, bureau.user)
        yield Case(
            MerciFacteur(keys, base=f"{server.url}/service"),
            lambda: len(bureau.taken),
            lambda how: bureau.scripted.append(replies[how]),
            lambda ref: _printed(bureau, int(ref)),
        )


def _printed(bureau: Bureau, number: int) -> datetime:
    bureau.printed.add(number)
    stamp = int((NOW + timedelta(hours=2)).timestamp())
    bureau.events[number] = [
        {"statut_courrier": "wait", "date_event": int(NOW.timestamp())},
        {"statut_courrier": "imprime", "date_event": stamp, "tracking_number": None},
    ]
    return NOW + timedelta(days=4)


class Mark:
    """Counts hand-overs."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def test_the_account_can_be_tried_without_sending_anything(case: Case) -> None:
    assert case.provider.check(at=NOW)
    assert case.held() == 0


def test_a_letter_is_taken_after_one_hand_over_and_has_a_reference(case: Case) -> None:
    mark = Mark()
    taken = case.provider.submit(letter(), at=NOW, hand_over=mark)
    assert (taken.ref != "", taken.price_cents, mark.times) == (True, 152, 1)
    assert case.held() == 1


def test_nothing_leaves_when_the_hand_over_is_refused(case: Case) -> None:
    class LostError(Exception): ...

    def lost() -> None:
        raise LostError

    with pytest.raises(LostError):
        case.provider.submit(letter(), at=NOW, hand_over=lost)
    assert case.held() == 0


def test_one_key_never_makes_two_letters(case: Case) -> None:
    case.provider.submit(letter("same"), at=NOW, hand_over=Mark())
    with pytest.raises(AlreadyTakenError):
        case.provider.submit(letter("same"), at=NOW, hand_over=Mark())
    case.provider.submit(letter("other"), at=NOW, hand_over=Mark())
    assert case.held() == 2


@pytest.mark.parametrize(
    ("how", "permanent", "uncertain", "unreachable", "held"),
    [
        ("refused", True, False, False, 0),
        ("later", False, False, False, 0),
        ("account", False, False, True, 0),
        ("lost", False, True, False, 1),
    ],
)
def test_a_fault_says_what_is_known_about_the_letter(
    case: Case, how: str, permanent: bool, uncertain: bool, unreachable: bool, held: int
) -> None:
    case.fail(how)
    with pytest.raises(DeliveryError) as fault:
        case.provider.submit(letter(), at=NOW, hand_over=Mark())
    known = fault.value
    assert (known.permanent, known.uncertain, known.unreachable) == (
        permanent,
        uncertain,
        unreachable,
    )
    assert case.held() == held


def test_after_a_lost_answer_it_is_found_or_refused_never_posted_twice(case: Case) -> None:
    case.fail("lost")
    with pytest.raises(DeliveryError):
        case.provider.submit(letter("in doubt"), at=NOW, hand_over=Mark())
    try:
        found = case.provider.find("in doubt", at=NOW)
    except CannotTellError:
        with pytest.raises(AlreadyTakenError):
            case.provider.submit(letter("in doubt"), at=NOW, hand_over=Mark())
    else:
        assert found is not None
        assert case.provider.find("never given", at=NOW) is None
    assert case.held() == 1


def test_what_happened_is_told_in_order_and_in_our_words(case: Case) -> None:
    taken = case.provider.submit(letter(), at=NOW, hand_over=Mark())
    events = case.provider.status(taken.ref, at=case.printed(taken.ref))
    assert [event.status for event in events][:2] == [tracking.QUEUED, tracking.PRINTED]
    assert events == sorted(events)
    assert {event.status for event in events} <= set(tracking.STATUSES)


def test_it_can_be_taken_back_until_it_is_printed(case: Case) -> None:
    first = case.provider.submit(letter("a"), at=NOW, hand_over=Mark())
    assert case.provider.cancel(first.ref, at=NOW) is True
    assert case.provider.cancel(first.ref, at=NOW) is False
    late = case.provider.submit(letter("b"), at=NOW, hand_over=Mark())
    assert case.provider.cancel(late.ref, at=case.printed(late.ref)) is False


def test_a_plain_letter_has_no_proof(case: Case) -> None:
    taken = case.provider.submit(letter(), at=NOW, hand_over=Mark())
    assert case.provider.proofs(taken.ref, at=case.printed(taken.ref)) == []


def test_the_price_is_in_cents_before_tax(case: Case) -> None:
    cents = case.provider.price(service="normal", pages=1, colour=False, duplex=False, at=NOW)
    assert cents == 152

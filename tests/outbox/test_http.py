"""Calls to providers: what is known after each way in which they can fail."""

import socket
import threading
from typing import Any

import pytest

from relance.outbox import http
from relance.outbox.http import LostError, NotSentError, call

from .web_server import Reply, serving


@pytest.fixture
def private(settings: Any) -> None:
    settings.SMTP_PRIVATE_NETWORKS = True


def test_an_answer_comes_back_whole_whatever_its_status(private: None) -> None:
    with serving(lambda request: Reply(503, b"later", "text/plain")) as server:
        answer = call("POST", f"{server.url}/a?b=c", headers={"X-Key": "k"}, body=b"hello")
    assert (answer.status, answer.body) == (503, b"later")
    assert answer.headers["content-type"] == "text/plain"
    [request] = server.requests
    assert (request.method, request.path, request.query) == ("POST", "/a", {"b": "c"})
    assert (request.headers["x-key"], request.body) == ("k", b"hello")


def test_a_redirection_is_not_followed(private: None) -> None:
    """It could lead inside; a provider's address does not move without a word."""
    with serving(lambda request: Reply(302, b"")) as server:
        assert call("GET", server.url).status == 302
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https:///nothing",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://192.168.1.10/",
        "https://example.org:99999/",
        "https://example.org:22/",
    ],
)
def test_only_https_to_public_hosts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*args: object) -> socket.socket:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "create_connection", nowhere)
    with pytest.raises(NotSentError):
        call("GET", url)


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: inside)
    with pytest.raises(NotSentError, match="Forbidden"):
        call("GET", "https://provider.example/")


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "’"])
def test_a_header_that_none_may_be_is_known_not_to_have_left(private: None, value: str) -> None:
    with serving(lambda request: Reply()) as server, pytest.raises(NotSentError):
        call("GET", server.url, headers={"Authorization": value})
    assert server.requests == []


def test_nobody_listens_nothing_was_sent(private: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotSentError):
        call("POST", f"http://127.0.0.1:{port}/", body=b"x")


def test_a_line_that_breaks_after_the_request_is_lost(private: None) -> None:
    with serving(lambda request: Reply(hang=True)) as server, pytest.raises(LostError):
        call("POST", server.url, body=b"x")


def test_an_answer_that_drips_is_cut_off(private: None) -> None:
    """No slow answer keeps a worker: the whole call has its limit."""
    stop = threading.Event()

    def drip(request: object) -> Reply:
        stop.wait(5)
        return Reply(200, b"late")

    with serving(drip) as server:
        with pytest.raises(LostError):
            call("GET", server.url, seconds=0.3)
        stop.set()


def test_an_endless_answer_is_refused(private: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1000)
    with serving(lambda request: Reply(200, b"x" * 1001)) as server, pytest.raises(LostError):
        call("GET", server.url)

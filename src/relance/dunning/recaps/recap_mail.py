"""A regular e-mail as data, and its writing as text and as HTML: pure, the same for all kinds."""

from typing import NamedTuple

from django.template.loader import render_to_string

from relance.outbox.notices import Sheet


class Figure(NamedTuple):
    """One number that one should not have to look for."""

    label: str
    value: str
    aside: str = ""
    late: bool = False


class Row(NamedTuple):
    """One line: a name, what it is about, an amount, and where its link leads."""

    name: str
    detail: str
    amount: str
    link: str
    url: str


class Part(NamedTuple):
    """A list under its title; `more` tells what it does not show, or why it is empty."""

    title: str
    rows: tuple[Row, ...] = ()
    more: str = ""


class Mail(NamedTuple):
    """All that one reads, in the reader's language already; `foot` ends with how to stop it."""

    language: str
    subject: str
    organisation: str
    day: str
    title: str
    lead: str
    figures: tuple[Figure, ...]
    parts: tuple[Part, ...]
    button: str
    url: str
    foot: str
    stop: str
    stop_url: str


def written(mail: Mail) -> Sheet:
    """The mail as text and as HTML; a name is never markup in the one nor a tag in the other."""
    context = {"mail": mail}
    lines = render_to_string("recaps/mail.txt", context).splitlines()
    text = "\n".join(line.rstrip() for line in lines).strip() + "\n"
    return Sheet(mail.subject, text, render_to_string("recaps/mail.html", context))

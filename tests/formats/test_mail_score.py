"""The table of docs/incoming-mail.md: what was judged by eye, and what the reader makes of it.

`mail_truth.json` holds the judgement of each mail: kind, whether its address is dead (or the mail
only a delay), and a digest of the address. The mails themselves are elsewhere: with
RELANCE_CORPUS naming their folder they are read again.
"""

import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path

from relance.formats.incoming_mail import Kind, Reading, read

HERE = Path(__file__).parent
TRUTH: dict[str, list[str]] = json.loads((HERE / "mail_truth.json").read_text())
PAGE = (HERE.parents[1] / "docs" / "incoming-mail.md").read_text()
NAMES = {
    Kind.HARD: "hard",
    Kind.SOFT: "soft",
    Kind.AUTO_REPLY: "auto-reply",
    Kind.COMPLAINT: "complaint",
    Kind.LETTER: "not a bounce",
}
ORIGINS = {
    "arf": "abuse reports",
    "rfc3834": "automatic answers",
    "is-not-bounce": "letters",
    "rfc3464": "reports of no particular server",
    "lhost-amazonses": "Amazon SES",
    "lhost-exchange2007": "Exchange 2007",
    "lhost-exim": "Exim",
    "lhost-gmail": "Gmail",
    "lhost-messagingserver": "Messaging Server",
    "lhost-office365": "Office 365",
    "lhost-opensmtpd": "OpenSMTPD",
    "lhost-outlook": "Outlook",
    "lhost-postfix": "Postfix",
    "lhost-qmail": "qmail",
    "lhost-sendgrid": "SendGrid",
    "lhost-sendmail": "sendmail",
    "lhost-yahoo": "Yahoo",
    "lhost-zoho": "Zoho",
    "rhost-franceptt": "refused by French providers",
    "rhost-google": "refused by Google",
    "rhost-microsoft": "refused by Microsoft",
}


def judged(reading: Reading) -> list[str]:
    """A reading in the words of the truth."""
    late = reading.kind is Kind.SOFT and not reading.final
    address = hashlib.sha256(reading.address.encode()).hexdigest()[:12] if reading.address else ""
    return [reading.kind.value, "dead" if reading.dead else "delayed" if late else "", address]


def test_the_table_tells_the_mails_that_were_judged() -> None:
    """Its counts by kind and by origin, and of the dead and the late."""
    by_kind = Counter(kind for kind, _state, _address in TRUTH.values())
    by_origin = Counter(re.sub(r"-\d+$", "", name) for name in TRUTH)
    for kind, name in NAMES.items():
        assert f"| {name} | {by_kind[kind]} |" in PAGE
    for origin, name in ORIGINS.items():
        assert f"| {name} | {by_origin[origin]} |" in PAGE
    assert by_origin.keys() == ORIGINS.keys()
    states = Counter(state for _kind, state, _address in TRUTH.values())
    assert f"{states['dead']} of the {by_kind['hard']} hard ones" in PAGE
    assert f"{states['delayed']} of the {by_kind['soft']} soft ones" in PAGE


def test_the_reader_judges_the_mails_as_a_person_did() -> None:
    """With the mails at hand each is read again; without, those that the tests wrote themselves."""
    folder = os.environ.get("RELANCE_CORPUS")
    mails = sorted(Path(folder).glob("*.eml")) if folder else []
    assert {mail.stem for mail in mails} in (set(), set(TRUTH))
    wrong = {
        mail.stem: (found, TRUTH[mail.stem])
        for mail in mails
        if (found := judged(read(mail.read_bytes()))) != TRUTH[mail.stem]
    }
    assert wrong == {}
    assert judged(read(b"From: a@b.test\n\nBonjour"))[0] == Kind.LETTER

"""Mails as others send them, written for the tests: refusals, answers, absences, complaints."""


def bounce(
    ref: str,
    *failed: tuple[str, str, str],
    action: str = "failed",
    sender: str = "MAILER-DAEMON@mx.client.example",
    own_id: str = "<bounce-1@mx.client.example>",
) -> bytes:
    """A delivery report about our message `ref`: (address, status, words) of each recipient."""
    groups = "\n".join(
        f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; {said}\n"
        for address, status, said in failed
    )
    return (
        f"From: {sender}\nTo: collect@example.org\nMessage-ID: {own_id}\n"
        "Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.client.example\n\n"
        f"{groups}\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: {ref}\nSubject: Rappel\n--b--\n"
    ).encode()


def unknown(address: str) -> tuple[str, str, str]:
    """Nobody lives there."""
    return (address, "5.1.1", "550 5.1.1 user unknown")


def answer(
    ref: str = "",
    text: str = "Bonjour,\n\nLe virement part demain.\n",
    *,
    sender: str = "Zoé Dupont <dupont@example.com>",
    to: str = "collect@example.org",
    headers: str = "",
    own_id: str = "<answer-1@example.com>",
) -> bytes:
    """A mail that a person wrote, to our message `ref` if any."""
    replied = f"In-Reply-To: {ref}\n" if ref else ""
    return (
        f"From: {sender}\nTo: {to}\nMessage-ID: {own_id}\nSubject: Re: Facture\n"
        f"{replied}{headers}MIME-Version: 1.0\n"
        f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}"
    ).encode()


def with_file(
    ref: str = "",
    *,
    name: str = "justificatif.pdf",
    sender: str = "gerant@martin.example",
    to: str = "collect@example.org",
) -> bytes:
    """A mail that carries a PDF."""
    replied = f"In-Reply-To: {ref}\n" if ref else ""
    return (
        f"From: {sender}\nTo: {to}\nMessage-ID: <files-1@martin.example>\nSubject: Pour vous\n"
        f"{replied}MIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="m"\n\n--m\nContent-Type: text/plain\n\nVoici.\n'
        f'--m\nContent-Type: application/pdf\nContent-Disposition: attachment; filename="{name}"\n'
        "Content-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--m--\n"
    ).encode()


def complaint(ref: str, address: str) -> bytes:
    """An abuse report (RFC 5965)."""
    return (
        "From: fbl@provider.example\nMessage-ID: <arf-1@provider.example>\nSubject: FW: Rappel\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        f"Original-Rcpt-To: {address}\n\n--b\nContent-Type: message/rfc822\n\n"
        f"Message-ID: {ref}\nTo: {address}\n\nBonjour\n--b--\n"
    ).encode()

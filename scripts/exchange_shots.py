"""Pictures of the guide about what leaves, what comes back, letters and proof.

Replies come in as at a customer's: a webhook is opened, and mails that answer messages which left
are posted to it.
"""

import email
import email.policy
import time
from email.message import EmailMessage
from urllib.parse import urljoin, urlsplit

from guide_shots import record
from playwright.sync_api import Page
from shots import Gesture, Shot, at, click, rest, text

FIRM = "anne.morel@cabinet-morel.example"
REPLY = """Bonjour,

Nous avons fait le virement hier, vous devriez le recevoir demain.
Pouvez-vous nous renvoyer le RIB pour la prochaine fois\u00a0?

Bien cordialement,
Solenn Le Moal
"""
ABSENT = """Bonjour,

Je suis en congé jusqu'au 7 décembre 2026. Pour toute urgence : accueil@keraval.example.
"""
REFUSED = "550 5.1.1 <{to}>: Recipient address rejected: User unknown"
REPORT = """Reporting-MTA: dns; mx.example
Arrival-Date: Tue, 24 Nov 2026 09:31:28 +0100

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; {answer}
"""
SUBJECT = "Mise en demeure de payer vos factures"
WORDS = """Madame, Monsieur,

Vous nous devez {{ montant }}. Sans règlement sous quinzaine, nous saisirons le tribunal.
"""


def sent_to(page: Page, home: str, name: str) -> EmailMessage:
    """The message that left last to that customer, as it left."""
    page.goto(urljoin(home, "envois/?etat=partis"))
    rest(page)
    text(name)(page)
    link = page.get_by_role("link", name="Télécharger le .eml")
    address = urljoin(page.url, link.get_attribute("href") or "")
    raw = page.request.get(address).body()
    return email.message_from_bytes(raw, policy=email.policy.default)


def answer(sent: EmailMessage, words: str, **headers: str) -> EmailMessage:
    """A mail from the one it went to."""
    mail = EmailMessage()
    mail["From"], mail["To"] = str(sent["To"]), str(sent["Reply-To"] or sent["From"])
    mail["Subject"] = f"RE: {sent['Subject']}"
    mail["In-Reply-To"] = str(sent["Message-ID"])
    mail["Message-ID"] = f"<answer-{str(sent['Message-ID']).strip('<>')}>"
    mail["Date"] = "Tue, 24 Nov 2026 09:48:00 +0100"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(words)
    return mail


def refusal(sent: EmailMessage) -> bytes:
    """What the server of an address that is no more writes back (RFC 3464)."""
    to = str(sent["To"]).rpartition("<")[2].strip("> ")
    said = REFUSED.format(to=to)
    parts = (
        ("text/plain; charset=utf-8", f"<{to}>: {said}\n"),
        ("message/delivery-status", REPORT.format(to=to, answer=said)),
        ("text/rfc822-headers", f"Message-ID: {sent['Message-ID']}\nTo: {to}\n"),
    )
    body = "".join(f"--part\nContent-Type: {kind}\n\n{words}\n" for kind, words in parts)
    head = (
        f"From: MAILER-DAEMON@mx.example\nTo: {sent['From']}\nSubject: Undelivered Mail\n"
        f"Message-ID: <refusal-{str(sent['Message-ID']).strip('<>')}>\n"
        "Date: Tue, 24 Nov 2026 09:52:00 +0100\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="part"\n\n'
    )
    return f"{head}{body}--part--\n".encode()


def here(page: Page, address: str) -> str:
    """That address at this demonstration: what it tells others names its usual port."""
    return urljoin(page.url, urlsplit(address).path or address)


def bring(page: Page) -> None:
    """A reply, an absence and a refusal come in; once only, for a mail is known again."""
    home = urljoin(page.url, "../")
    if page.locator("main .mrow").count():
        return
    page.goto(urljoin(home, "parametres/reception/"))
    at("form[action$='/webhook/'] button")(page)
    door = here(page, page.locator(".note code").inner_text().strip())
    mails = (
        bytes(answer(sent_to(page, home, "Ostréiculture Le Moal"), REPLY)),
        bytes(
            answer(sent_to(page, home, "Traiteur Keraval"), ABSENT, Auto_Submitted="auto-replied")
        ),
        refusal(sent_to(page, home, "Studio Ar Bed")),
    )
    for raw in mails:
        page.request.post(door, data=raw, headers={"Content-Type": "message/rfc822"})
    for _try in range(20):
        page.goto(urljoin(home, "reponses/"))
        rest(page)
        if (
            page.locator("main .mrow").count() >= 2
            and not page.get_by_text("vient d’arriver").count()
        ):
            return
        time.sleep(1)


def seen(words: str) -> Gesture:
    """The mail of that customer, in the list of all that came in."""

    def gesture(page: Page) -> None:
        bring(page)
        page.goto(urljoin(page.url, "?etat=tout"))
        rest(page)
        text(words)(page)

    return gesture


def write_notice(page: Page) -> None:
    """Begin a letter that is a mise en demeure, and lack parts of it."""
    page.get_by_label("Méthode d’envoi").first.select_option("letter")
    rest(page)
    page.get_by_label("Objet").first.fill(SUBJECT)
    page.locator("textarea").first.fill(WORDS)
    page.locator("textarea").first.press("End")
    rest(page)
    page.wait_for_timeout(1200)


def follow(label: str) -> Gesture:
    """Open where a link of that name leads, in this window."""

    def gesture(page: Page) -> None:
        link = page.get_by_role("link", name=label).first
        page.goto(here(page, link.get_attribute("href") or ""))
        rest(page)

    return gesture


def recovery(page: Page) -> None:
    """From a client's record to what may be handed over of him."""
    page.goto(urljoin(page.url, "recouvrement/"))
    rest(page)


def down(css: str) -> Gesture:
    """Bring that piece to the top of the window."""

    def gesture(page: Page) -> None:
        page.locator(css).first.evaluate("one => one.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(200)

    return gesture


SENDING = (
    Shot("envoyer-boite", "parametres/mails/", (text("facturation@"), down("#mailbox-server"))),
    Shot("envoyer-garde-fous", "parametres/garde-fous/", height=860),
    Shot("envoyer-incertain", "envois/", (text("Imprimerie Le Bihan"),), height=720),
)
COMING = (
    Shot("reponses-liste", "reponses/", (bring, text("Ostréiculture Le Moal")), height=720),
    Shot("reponses-refus", "reponses/", (seen("Studio Ar Bed"),), height=720),
    Shot("reponses-reception", "parametres/reception/", height=640),
)
LETTERS = (
    Shot("courriers-entete", "parametres/courriers/", (down("#settings-envelope"),), height=860),
    Shot("courriers-demeure", "modeles/nouveau/", (write_notice,), height=860),
    Shot("courriers-canaux", "parametres/canaux/", height=720),
    Shot("courriers-appel", "", (text("Garage Lemoine"),), height=860),
)
PROOF = (
    Shot(
        "recouvrement-penalites",
        "clients/?q=Polyclinique",
        (*record("Polyclinique Océane"), follow("Décompte et PDF"), at(".penalty summary")),
        height=720,
    ),
    Shot("recouvrement-journal", "journal/", (click("Vérifier maintenant"),), height=720),
    Shot(
        "recouvrement-dossier",
        "clients/?q=Polyclinique",
        (*record("Polyclinique Océane"), recovery),
        height=860,
    ),
    Shot(
        "recouvrement-debiteur",
        "envois/?etat=partis",
        (text("Traiteur Keraval"), follow("Voir ce qu’il voit")),
        width=360,
        height=740,
    ),
)
RECEIPTS = (
    Shot("justificatifs-dossiers", "/cabinet/1/dossiers/", height=720, login=FIRM),
    Shot("justificatifs-collaborateurs", "/cabinet/1/collaborateurs/", height=640, login=FIRM),
    Shot("justificatifs-demandes", "/cabinet/1/", height=720, login=FIRM),
)
EXCHANGES = (*SENDING, *COMING, *LETTERS, *PROOF, *RECEIPTS)

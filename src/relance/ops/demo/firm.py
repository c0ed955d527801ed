"""A firm of accountants beside the company: its dossiers, their banks, what is missing in them.

Statements are imported, rules applied and receipts proposed by the services that pages use.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import NamedTuple

import typst
from django.db import transaction
from django.utils.text import slugify

from relance.accounts import clock
from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    Firm,
    FirmMembership,
    Membership,
    Organisation,
    User,
)
from relance.bank.models import BankAccount, BankRule, Transaction
from relance.bank.services import links, proposals, statements
from relance.bank.services.documents import describe, store_document
from relance.ops import worker
from relance.ops.demo import words
from relance.ops.demo.launch import ACCOUNTANT
from relance.ops.hooks import hooks
from relance.receipts.models import Request
from relance.receipts.services.answers import answer_no
from relance.receipts.services.asking import readers, to_validate
from relance.receipts.services.schedules import save_firm_schedule
from relance.receipts.services.sending import UNDO_SECONDS, send_request

FIRM = "Cabinet Morel et Associés"
BRASSERIE = "Brasserie du Port"
QUIET = ("VERSEMENT CARTES", "URSSAF BRETAGNE", "SALAIRES", "FRAIS BANCAIRES")
"""Kinds of transactions that want no receipt, by rule."""
SHOPS = (
    "METRO NANTES",
    "ORANGE PRO",
    "TOTALENERGIES QUIMPER",
    "AMAZON EU",
    "SNCF CONNECT",
    "LEROY MERLIN BREST",
    "EDF PRO",
    "BUREAU VALLEE",
)


class Move(NamedTuple):
    """A line of a statement: cents, negative when it was paid."""

    on: date
    cents: int
    name: str
    memo: str = ""


MISSING = (
    Move(date(2024, 2, 3), -41280, "LEROY MERLIN BREST", "Carte 4471"),
    Move(date(2024, 4, 16), -18990, "BUREAU VALLEE", "Carte 4471"),
    Move(date(2024, 6, 11), -36412, "METRO NANTES", "Carte 4471"),
    Move(date(2024, 9, 5), -28745, "AMAZON EU", "Carte 4471"),
    Move(date(2024, 9, 24), -51230, "EDF PRO", "Prélèvement"),
    Move(date(2024, 10, 3), -21340, "SACEM", "Prélèvement"),
    Move(date(2024, 10, 9), -7462, "TOTALENERGIES QUIMPER", "Carte 4471"),
    Move(date(2024, 10, 17), -186000, "BRASSEURS D'ARMOR", "Virement"),
    Move(date(2024, 10, 24), -8990, "ORANGE PRO", "Prélèvement"),
    Move(date(2024, 10, 30), -34218, "METRO NANTES", "Carte 4471"),
    Move(date(2024, 11, 14), -22482, "SNCF CONNECT", "Carte 4471"),
    Move(date(2025, 1, 21), -30600, "METRO NANTES", "Carte 4471"),
    Move(date(2025, 4, 8), -19900, "LEROY MERLIN BREST", "Carte 4471"),
    Move(date(2025, 4, 29), -33700, "AMAZON EU", "Carte 4471"),
    Move(date(2025, 6, 24), -7115, "TOTALENERGIES QUIMPER", "Carte 4471"),
    Move(date(2025, 9, 16), -142000, "BRASSEURS D'ARMOR", "Virement"),
    Move(date(2025, 11, 27), -8990, "ORANGE PRO", "Prélèvement"),
    Move(date(2025, 12, 18), -41806, "METRO NANTES", "Carte 4471"),
)
"""Eighteen over 2024 and 2025, of which five in October 2024."""
ANSWERED = Move(date(2026, 3, 12), -4990, "PARKING DES HALLES", "Carte 4471")

OTHERS = (
    ("Menuiserie Caradec", 31, 2),
    ("SARL Ty Mad", 26, 1),
    ("Garage Lemoine", 22, 2),
    ("Cabinet vétérinaire Abgrall", 19, 0),
    ("Camping de la Pointe", 12, 1),
    ("Crêperie du Steïr", 9, 1),
    ("Fleurs de Locronan", 4, 1),
    ("SCI Les Tilleuls", 0, 1),
)
"""Name, how many receipts are missing, and how many people may be asked."""
PEOPLE = (
    ("y.corre", "Yann Corre", BankRole.R2, CollectRole.FULL, True),
    ("s.lemeur", "Sophie Le Meur", BankRole.R2, CollectRole.ALL, True),
    ("l.prigent", "Lucie Prigent", BankRole.R1, CollectRole.ALL, True),
    ("m.guillou", "Marc Guillou", BankRole.R2, CollectRole.ALL, False),
)


@transaction.atomic
def found_firm(*, until: datetime) -> None:
    """The firm as seen at the moment `until`: a calendar, a request sent, an answer waiting."""
    firm = Firm.objects.create(name=FIRM)
    anne = User.objects.create_user(ACCOUNTANT, words.PASSWORD, full_name="Anne Morel")
    FirmMembership.objects.create(firm=firm, user=anne, is_admin=True)
    brasserie = _dossier(firm, BRASSERIE)
    for login, name, bank, collect, wants in PEOPLE:
        _person(
            brasserie,
            f"{login}@brasserieduport.example",
            name,
            bank,
            collect,
            wants,
            password=anne.password,
        )
    today = clock.local_date(brasserie, until)
    _bank(brasserie, [*MISSING, ANSWERED], anne, today, until)
    _papers(brasserie, anne, today, until)
    for name, missing, people in OTHERS:
        dossier = _dossier(firm, name)
        for place in range(people):
            address = f"contact{place + 1}@{slugify(name)}.example"
            _person(
                dossier,
                address,
                f"{name} {place + 1}"[:120],
                BankRole.R2,
                CollectRole.ALL,
                password=anne.password,
            )
        _bank(dossier, _missing(name, missing, today), anne, today, until)
    save_firm_schedule(
        firm=firm,
        enabled=True,
        days=[5, 30],
        working_days=False,
        second_after=3,
        actor=anne,
        on=today,
        now=until,
    )
    _correspond(brasserie, anne, until)


def _dossier(firm: Firm, name: str) -> Organisation:
    return Organisation.objects.create(name=name, slug=slugify(name), firm=firm)


def _person(
    dossier: Organisation,
    email: str,
    name: str,
    bank: BankRole,
    collect: CollectRole,
    wants: bool = True,
    *,
    password: str,
) -> None:
    user = User.objects.create(email=email, password=password, full_name=name)
    Membership.objects.create(
        organisation=dossier,
        user=user,
        dunning_role=DunningRole.NONE,
        bank_role=bank,
        collect_role=collect,
        wants_receipt_mails=wants,
    )


def _missing(name: str, count: int, today: date) -> list[Move]:
    dice = Random(f"morel {name}")  # noqa: S311 - a story, not a secret
    return [
        Move(
            today - timedelta(days=dice.randint(20, 500)),
            -dice.randrange(1200, 98000, 5),
            dice.choice(SHOPS),
            "Carte",
        )
        for _place in range(count)
    ]


def _bank(
    dossier: Organisation, moves: Sequence[Move], anne: User, on: date, now: datetime
) -> None:
    """An account with its statement: what is missing, and what wants no receipt by rule."""
    for place, label in enumerate(QUIET, 1):
        BankRule.objects.create(organisation=dossier, position=place, words=label)
    dice = Random(f"bank {dossier.name}")  # noqa: S311 - a story, not a secret
    quiet = []
    day = date(2024, 1, 5)
    while day <= on:
        label = dice.choice(QUIET)
        sign = 1 if label == QUIET[0] else -1
        quiet.append(Move(day, sign * dice.randrange(900, 240000, 5), label))
        day += timedelta(days=dice.randint(5, 12))
    seen = [move for move in (*moves, *quiet) if move.on <= on]
    raw = ofx(sorted(seen), f"3000{dossier.pk:07d}")
    statements.import_file(
        organisation=dossier, raw=raw, filename="releve.ofx", on=on, now=now, actor=anne
    )
    BankAccount.objects.filter(organisation=dossier).update(name="Crédit Agricole, compte courant")
    links.apply_rules(dossier, Transaction.objects.filter(organisation=dossier))


def ofx(moves: Sequence[Move], account: str) -> bytes:
    """A statement of one account in OFX 1, oldest line first."""
    lines = []
    for place, move in enumerate(moves):
        number = hashlib.sha256(f"{account} {place} {move}".encode()).hexdigest()[:12]
        kind = "CREDIT" if move.cents > 0 else "DEBIT"
        amount = f"{move.cents / 100:.2f}"
        lines.append(
            f"<STMTTRN>\n<TRNTYPE>{kind}\n<DTPOSTED>{move.on:%Y%m%d}\n<TRNAMT>{amount}\n"
            f"<FITID>{number}\n<NAME>{move.name}\n<MEMO>{move.memo or move.name}\n</STMTTRN>\n"
        )
    first, last = (moves[0].on, moves[-1].on) if moves else (date(2024, 1, 1), date(2024, 1, 1))
    balance = sum(move.cents for move in moves)
    return (
        "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nSECURITY:NONE\nENCODING:UTF-8\n"
        "CHARSET:NONE\nCOMPRESSION:NONE\nOLDFILEUID:NONE\nNEWFILEUID:NONE\n\n"
        "<OFX>\n<BANKMSGSRSV1>\n<STMTTRNRS>\n<TRNUID>1\n<STMTRS>\n<CURDEF>EUR\n"
        f"<BANKACCTFROM>\n<BANKID>12906\n<ACCTID>{account}\n<ACCTTYPE>CHECKING\n</BANKACCTFROM>\n"
        f"<BANKTRANLIST>\n<DTSTART>{first:%Y%m%d}\n<DTEND>{last:%Y%m%d}\n{''.join(lines)}"
        f"</BANKTRANLIST>\n<LEDGERBAL>\n<BALAMT>{balance / 100:.2f}\n<DTASOF>{last:%Y%m%d}\n"
        "</LEDGERBAL>\n</STMTRS>\n</STMTTRNRS>\n</BANKMSGSRSV1>\n</OFX>\n"
    ).encode()


def _papers(dossier: Organisation, anne: User, on: date, now: datetime) -> None:
    """Two parts of an amount, two receipts found and not confirmed, a kind of expense."""
    for place, part in ((date(2024, 10, 17), 124000), (date(2025, 9, 16), 104000)):
        row = _row(dossier, place)
        paper = store_document(
            organisation=dossier,
            raw=receipt(row.label, place, part),
            filename="brasseurs-armor.pdf",
            on=on,
            now=now,
            actor=anne,
        ).document
        describe(paper, actor=anne, amount_cents=part, on=place, supplier="Brasseurs d’Armor")
        links.associate(row=row, document=paper, actor=anne, on=on, now=now, amount_cents=part)
    for place in (date(2024, 10, 24), date(2025, 11, 27)):
        paper = store_document(
            organisation=dossier,
            raw=receipt("ORANGE PRO", place, 8990),
            filename=f"orange-{place:%Y-%m}.pdf",
            on=on,
            now=now,
            sent_by="y.corre@brasserieduport.example",
        ).document
        describe(paper, actor=anne, amount_cents=8990, on=place, supplier="Orange Pro")
        proposals.propose(documents=[paper], now=now)
    row = _row(dossier, date(2024, 10, 9))
    links.name_expense(row=row, label="Carburant", actor=anne, on=on, now=now)


def _row(dossier: Organisation, on: date) -> Transaction:
    rows = Transaction.objects.filter(organisation=dossier, booked=on).exclude(missing="")
    return rows.order_by("pk")[0]


def receipt(supplier: str, on: date, cents: int) -> bytes:
    """A plain invoice as a PDF."""
    amount = f"{cents // 100},{cents % 100:02d} €"
    source = (
        "#set page(width: 148mm, height: 210mm, margin: 16mm)\n#set text(size: 11pt)\n"
        f"= {supplier}\n\nFacture du {on:%d/%m/%Y}\n\n#v(12mm)\nFournitures selon commande\n"
        f"#h(1fr) {amount}\n#v(8mm)\n#line(length: 100%)\n*Total TTC* #h(1fr) *{amount}*\n"
    )
    return bytes(typst.compile(source.encode()))


def _correspond(dossier: Organisation, anne: User, until: datetime) -> None:
    """A request sent twelve days ago; two days later one answer, which nobody has looked at."""
    then = until - timedelta(days=12)
    if then.date() < ANSWERED.on:
        return
    request = send_request(
        organisation=dossier,
        kind=Request.Kind.MANUAL,
        rows=list(to_validate(dossier)),
        users=[one.user for one in readers(dossier) if one.eligible],
        on=then.date(),
        now=then,
        actor=anne,
        note="Il nous les faut avant la clôture. Merci !",
    )
    left = then + timedelta(seconds=UNDO_SECONDS + 3)
    worker.drain(hooks=hooks(lambda: left), now=lambda: left)
    request.door.opened_at = then + timedelta(days=1, hours=3)
    request.door.save(update_fields=["opened_at"])
    row = _row(dossier, ANSWERED.on)
    later = then + timedelta(days=2)
    answer_no(
        row=row,
        kind="none",
        by="Yann Corre",
        on=later.date(),
        now=later,
        note="Ticket perdu, désolé.",
        door=request.door,
    )

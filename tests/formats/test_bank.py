"""Bank statements of every kind come down to the same movements (formats D4)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.bank.model import Movement, Statement
from relance.formats.bank.read import BankFile, read_bank_file
from relance.formats.faults import Fault


def read(text: str | bytes) -> BankFile:
    answer = read_bank_file(text.encode() if isinstance(text, str) else text)
    assert isinstance(answer, BankFile), answer
    return answer


def only(text: str | bytes) -> Statement:
    [statement] = read(text).statements
    return statement


def refused(text: str | bytes) -> Fault:
    answer = read_bank_file(text.encode() if isinstance(text, str) else text)
    assert isinstance(answer, Fault), answer
    return answer


CAMT = """<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Id>R-1</Id><Acct><Id><IBAN>FR7630006000011234567890189</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-02</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{closing}</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-03</Dt></Dt></Bal>
<Ntry><Amt Ccy="EUR">300.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>false</RvslInd>
<BookgDt><Dt>2026-11-03</Dt></BookgDt><AcctSvcrRef>BQ1</AcctSvcrRef><NtryDtls>
<TxDtls><Refs><EndToEndId>F-1</EndToEndId></Refs><AmtDtls><TxAmt><Amt Ccy="EUR">120.00</Amt>
</TxAmt></AmtDtls><RltdPties><Dbtr><Nm>Durand SA</Nm></Dbtr><DbtrAcct><Id><IBAN>FR76DURAND</IBAN>
</Id></DbtrAcct></RltdPties><RmtInf><Ustrd>Facture F-1</Ustrd></RmtInf></TxDtls>
<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><AmtDtls><TxAmt>
<Amt Ccy="EUR">180.00</Amt></TxAmt></AmtDtls><RltdPties><Dbtr><Pty><Nm>Martin</Nm></Pty></Dbtr>
</RltdPties><RmtInf><Ustrd>F-2</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
</Stmt></BkToCstmrStmt></Document>"""


@pytest.mark.parametrize("version", ["02", "04", "08"])
def test_a_batch_entry_of_camt_gives_one_movement_per_payment(version: str) -> None:
    statement = only(CAMT.format(version=version, closing="400.00"))
    assert (statement.account, statement.gap) == ("FR7630006000011234567890189", 0)
    first, second = statement.movements
    assert (first.amount, first.reference, first.name, first.iban) == (
        12000,
        "F-1",
        "Durand SA",
        "FR76DURAND",
    )
    assert (second.amount, second.reference, second.name, second.label) == (
        18000,
        "",
        "Martin",
        "F-2",
    )


def test_balances_that_do_not_add_up_are_remarked() -> None:
    statement = only(CAMT.format(version="02", closing="450.00"))
    [remark] = statement.remarks
    assert remark.code == "statement_gap"
    assert "écart de 50,00" in remark.message


def test_a_camt_without_statement_is_refused() -> None:
    name = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"
    assert (
        refused(f'<Document xmlns="{name}"><BkToCstmrStmt/></Document>').code == "bank_no_statement"
    )


def test_a_broken_camt_is_refused_with_its_line_and_entities_are_never_expanded() -> None:
    assert refused(CAMT.format(version="02", closing="1")[:900]).line is not None
    bomb = (
        '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><Stmt><Id>&b;</Id>'
        "</Stmt></Document>"
    )
    assert refused(bomb).code == "bank_broken"


OFX1 = """OFXHEADER:100
CHARSET:1252

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR
<BANKACCTFROM><BANKID>30006<BRANCHID>00001<ACCTID>12345678901
</BANKACCTFROM><BANKTRANLIST>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261103<TRNAMT>+1234,56<FITID>F1<NAME>VIR DURAND &amp; FILS
<MEMO>Facture F-1
</STMTTRN>
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20261104120000[+1:CET]<TRNAMT>-20.5<FITID>F2<NAME>CARTE</STMTTRN>
</BANKTRANLIST><LEDGERBAL><BALAMT>5000.00<DTASOF>20261104</LEDGERBAL>
</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"""


def test_ofx_with_unclosed_tags_and_french_commas_is_read() -> None:
    statement = only(OFX1.encode("cp1252"))
    assert (statement.account, statement.closing) == ("300060000112345678901", 500000)
    assert [(one.booked, one.amount, one.label) for one in statement.movements] == [
        (date(2026, 11, 3), 123456, "VIR DURAND & FILS Facture F-1"),
        (date(2026, 11, 4), -2050, "CARTE"),
    ]


def test_ofx_2_as_xml_gives_the_same() -> None:
    closed = OFX1.replace("\n", "").replace("OFXHEADER:100CHARSET:1252", "")
    for name in ("CURDEF", "BANKID", "BRANCHID", "ACCTID", "DTPOSTED", "TRNAMT", "FITID", "NAME"):
        closed = "".join(
            part
            if index == 0
            else f"<{name}>{part.partition('<')[0]}</{name}><{part.partition('<')[2]}"
            for index, part in enumerate(closed.split(f"<{name}>"))
        )
    xml = '<?xml version="1.0"?><?OFX OFXHEADER="200" VERSION="211"?>' + closed
    assert [one.key for one in only(xml).movements] == [one.key for one in only(OFX1).movements]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [("+1234,56", "$120", "bank_bad_amount"), ("20261103", "2026-11", "bank_bad_date")],
)
def test_ofx_with_a_bad_value_is_refused_with_its_line(old: str, new: str, code: str) -> None:
    fault = refused(OFX1.replace(old, new))
    assert (fault.code, fault.line) == (code, 7)


def cfonb(kind: str, amount: str, day: str = "031126", label: str = "", more: str = "") -> str:
    line = f"{kind}30006    00001EUR2 12345678901  {day}"
    line = line.ljust(42) + (day if kind == "04" else "").ljust(6) + label
    return (line.ljust(90) + amount.rjust(14, "0") + more).ljust(120)


STATEMENT = [
    cfonb("01", "1000{", "021126"),
    cfonb("04", "12345F", label="VIR SEPA DURAND", more="F-1"),
    "0530006    00001EUR2 12345678901  031126     NPYDURAND SA".ljust(120),
    "0530006    00001EUR2 12345678901  031126     LCCFACTURE F-1 NOVEMBRE".ljust(120),
    cfonb("04", "205}", label="FRAIS"),
    cfonb("07", "13140F"),
]


def test_cfonb_signs_details_and_balances() -> None:
    """The last character of an amount holds its sign; details add name and words."""
    statement = only("\n".join(STATEMENT))
    assert (statement.opening, statement.closing) == (10000, 131406)
    first, second = statement.movements
    assert (first.amount, first.name, first.reference) == (123456, "DURAND SA", "F-1")
    assert first.label == "VIR SEPA DURAND FACTURE F-1 NOVEMBRE"
    assert second.amount == -2050
    assert statement.gap == 0


def test_cfonb_extract_without_balances_still_gives_its_movements() -> None:
    statement = only("\n".join(STATEMENT[1:3]))
    assert [one.amount for one in statement.movements] == [123456]
    assert [one.code for one in statement.remarks] == ["statement_unfinished"]


def test_cfonb_out_of_order_or_with_a_bad_date_is_refused_with_its_line() -> None:
    orphan = refused("\n".join([STATEMENT[0], STATEMENT[2]]))
    assert (orphan.code, orphan.line) == ("bank_detail_without_movement", 2)
    bad = refused("\n".join([STATEMENT[0], cfonb("04", "1{", "321126")]))
    assert (bad.code, bad.line) == ("bank_bad_date", 2)


MT940 = """:20:STARTUMS
:25:FR7630006000011234567890189
:28C:1/1
:60F:C261102EUR100,00
:61:2611031103C1234,56NTRFNONREF//B1
:86:VIR DURAND FACTURE F-1
:61:2611041104D20,50NMSCNONREF//B2
:86:FRAIS
:62F:C261104EUR1314,06
-"""


def test_mt940_is_read_and_adds_up() -> None:
    statement = only(MT940)
    assert [(one.amount, one.label, one.bank_ref) for one in statement.movements] == [
        (123456, "VIR DURAND FACTURE F-1", "B1"),
        (-2050, "FRAIS", "B2"),
    ]
    assert statement.gap == 0


def test_a_reversal_is_told_apart() -> None:
    taken_back = only(MT940.replace("1103C1234,56", "1103RC1234,56")).movements[0]
    assert (taken_back.reversal, taken_back.amount) == (True, -123456)


def test_the_same_movement_has_the_same_key_in_two_overlapping_files_and_twins_differ() -> None:
    twin = STATEMENT[4]
    both = only("\n".join([STATEMENT[0], twin, twin, STATEMENT[5]])).movements
    again = only("\n".join([STATEMENT[0], *STATEMENT[1:5], twin, STATEMENT[5]])).movements
    assert len({one.key for one in both}) == 2
    assert {one.key for one in both} <= {one.key for one in again}


@pytest.mark.parametrize(
    "noise", [b"", b"  \n", b"Bonjour", b"%PDF-1.7 \x00\x01", b"date;montant\n"]
)
def test_what_is_no_statement_is_refused_with_a_sentence(noise: bytes) -> None:
    assert refused(noise).message.endswith(".")


@given(
    st.binary(max_size=200), st.sampled_from([CAMT, OFX1, MT940, "\n".join(STATEMENT)]), st.data()
)
def test_no_bytes_break_the_readers(noise: bytes, sample: str, data: st.DataObject) -> None:
    raw = sample.encode()
    place = data.draw(st.integers(0, len(raw)))
    answer = read_bank_file(raw[:place] + noise + raw[place:])
    assert isinstance(answer, BankFile | Fault)
    if isinstance(answer, BankFile):
        found = [one for statement in answer.statements for one in statement.movements]
        assert all(isinstance(one, Movement) for one in found)

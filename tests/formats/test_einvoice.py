"""Electronic invoices: what is to be paid, by whom and when, out of CII, UBL and Factur-X."""

import io
from datetime import date

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.einvoice import EInvoice, read_einvoice
from relance.formats.faults import Fault


def cii(type_code: str = "380", total: str = "671.15", prepaid: str = "201.00") -> str:
    return f"""<?xml version="1.0"?><rsm:CrossIndustryInvoice
 xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
 xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
 xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:ExchangedDocument><ram:ID>FA-42</ram:ID><ram:TypeCode>{type_code}</ram:TypeCode>
<ram:IssueDateTime>
<udt:DateTimeString format="102">20261103</udt:DateTimeString></ram:IssueDateTime>
</rsm:ExchangedDocument><rsm:SupplyChainTradeTransaction><ram:ApplicableHeaderTradeAgreement>
<ram:SellerTradeParty><ram:Name>Le Moulin</ram:Name></ram:SellerTradeParty>
<ram:BuyerTradeParty><ram:Name>La Boutique</ram:Name></ram:BuyerTradeParty>
</ram:ApplicableHeaderTradeAgreement><ram:ApplicableHeaderTradeSettlement>
<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
<ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime>
<udt:DateTimeString format="102">20261203</udt:DateTimeString></ram:DueDateDateTime>
</ram:SpecifiedTradePaymentTerms><ram:SpecifiedTradeSettlementHeaderMonetarySummation>
<ram:TaxTotalAmount currencyID="EUR">46.25</ram:TaxTotalAmount>
<ram:GrandTotalAmount>{total}</ram:GrandTotalAmount>
<ram:TotalPrepaidAmount>{prepaid}</ram:TotalPrepaidAmount>
<ram:DuePayableAmount>470.15</ram:DuePayableAmount>
</ram:SpecifiedTradeSettlementHeaderMonetarySummation>
</ram:ApplicableHeaderTradeSettlement></rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""


UBL_CREDIT_NOTE = """<CreditNote xmlns="urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
<cbc:ID>AV-7</cbc:ID><cbc:IssueDate>2026-11-03</cbc:IssueDate>
<cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>
<cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
<cac:BillingReference><cac:InvoiceDocumentReference><cbc:ID>FA-42</cbc:ID>
</cac:InvoiceDocumentReference></cac:BillingReference>
<cac:PaymentMeans><cbc:PaymentMeansCode>30</cbc:PaymentMeansCode>
<cbc:PaymentDueDate>2026-12-01</cbc:PaymentDueDate></cac:PaymentMeans>
<cac:LegalMonetaryTotal><cbc:TaxInclusiveAmount>100.11</cbc:TaxInclusiveAmount>
<cbc:PayableAmount>100.11</cbc:PayableAmount></cac:LegalMonetaryTotal></CreditNote>"""


def read(content: str | bytes) -> EInvoice:
    answer = read_einvoice(content.encode() if isinstance(content, str) else content)
    assert isinstance(answer, EInvoice), answer
    return answer


def refused(content: bytes) -> str:
    answer = read_einvoice(content)
    assert isinstance(answer, Fault), answer
    assert answer.message.endswith(".")
    return answer.code


def pdf_with(name: str, xml: bytes) -> bytes:
    target = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.attachments[name] = pikepdf.AttachedFileSpec(pdf, xml, filename=name)
        pdf.save(target)
    return target.getvalue()


def test_what_is_to_be_paid_is_the_payable_amount_and_not_the_total() -> None:
    invoice = read(cii())
    assert (invoice.total, invoice.prepaid, invoice.payable, invoice.tax) == (
        67115,
        20100,
        47015,
        4625,
    )
    assert (invoice.issued, invoice.due) == (date(2026, 11, 3), date(2026, 12, 3))
    assert (invoice.seller, invoice.buyer) == ("Le Moulin", "La Boutique")


def test_a_credit_note_is_negative_however_it_is_written() -> None:
    positive = read(cii("381"))
    assert (positive.is_credit_note, positive.payable) == (True, -47015)
    negative = read(cii("380", total="-50.00", prepaid="0"))
    assert (negative.is_credit_note, negative.total) == (True, -5000)


def test_a_ubl_credit_note_names_the_invoice_it_corrects() -> None:
    note = read(UBL_CREDIT_NOTE)
    assert (note.number, note.preceding, note.payable, note.due) == (
        "AV-7",
        "FA-42",
        -10011,
        date(2026, 12, 1),
    )


@pytest.mark.parametrize("name", ["factur-x.xml", "ZUGFeRD-invoice.xml"])
def test_the_xml_inside_a_pdf_is_found(name: str) -> None:
    assert read(pdf_with(name, cii().encode())) == read(cii())


def test_a_pdf_without_invoice_data_and_other_files_are_refused_with_a_sentence() -> None:
    assert refused(pdf_with("photo.xml", cii().encode())) == "einvoice_none"
    assert refused(b"%PDF-1.7 broken") == "einvoice_broken"
    assert refused(b"<html><body>Bonjour</body></html>") == "einvoice_none"
    assert refused(b"<a><b></a>") == "einvoice_broken"
    assert refused(b"") == "empty_file"
    assert refused(cii(total="beaucoup").encode()) == "einvoice_bad_amount"


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    assert refused(cii().replace('<?xml version="1.0"?>', bomb).encode()) == "einvoice_broken"


def test_an_attachment_that_swells_is_stopped() -> None:
    """30 MB of spaces deflate to some kilobytes."""
    packed = pdf_with("factur-x.xml", b"<a>" + b" " * 30_000_000)
    assert len(packed) < 200_000
    assert refused(packed) == "file_too_large"


@given(st.binary(max_size=100), st.integers(0, 500))
def test_no_bytes_break_the_reader(noise: bytes, place: int) -> None:
    raw = cii().encode()
    assert isinstance(read_einvoice(raw[:place] + noise + raw[place:]), EInvoice | Fault)

"""One electronic invoice: CII or UBL as XML, or a PDF that carries one (Factur-X, ZUGFeRD).

EN 16931 terms by number. What is to be paid is BT-115, never the total: many invoices come with a
prepayment (formats D3). Entities are never expanded, nothing is fetched, sizes are bounded.
"""

import io
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import pikepdf
from lxml import etree

from relance.formats.faults import Fault, Refused

MAX_XML = 20_000_000
EMBEDDED = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml", "order-x.xml")
CREDIT_NOTES = ("381", "261", "396")
DIRECT_DEBIT = ("49", "59")


class EInvoice(NamedTuple):
    """What an electronic invoice says; amounts in cents, negative for a credit note.

    `means` is the payment means code (BT-81). `due` is None in a third of real files: the terms'
    text may tell it to a person.
    """

    number: str
    issued: date | None
    due: date | None
    type_code: str
    currency: str
    total: int
    prepaid: int
    payable: int
    tax: int | None
    seller: str
    seller_id: str
    buyer: str
    buyer_id: str
    buyer_email: str
    terms: str
    preceding: str
    means: str
    reference: str
    iban: str

    @property
    def is_credit_note(self) -> bool:
        """Type 381, 261 or 396, or a negative total."""
        return self.type_code in CREDIT_NOTES or self.total < 0


_CII = {
    "number": "ExchangedDocument/ID",
    "issued": "ExchangedDocument/IssueDateTime/DateTimeString",
    "type_code": "ExchangedDocument/TypeCode",
    "currency": "S/InvoiceCurrencyCode",
    "due": "S/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString",
    "terms": "S/SpecifiedTradePaymentTerms/Description",
    "preceding": "S/InvoiceReferencedDocument/IssuerAssignedID",
    "seller": "A/SellerTradeParty/Name",
    "seller_id": "A/SellerTradeParty/SpecifiedLegalOrganization/ID",
    "buyer": "A/BuyerTradeParty/Name",
    "buyer_id": "A/BuyerTradeParty/SpecifiedLegalOrganization/ID",
    "buyer_email": "A/BuyerTradeParty/DefinedTradeContact/EmailURIUniversalCommunication/URIID",
    "means": "S/SpecifiedTradeSettlementPaymentMeans/TypeCode",
    "reference": "S/PaymentReference",
    "iban": "S/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID",
    "total": "S/SpecifiedTradeSettlementHeaderMonetarySummation/GrandTotalAmount",
    "prepaid": "S/SpecifiedTradeSettlementHeaderMonetarySummation/TotalPrepaidAmount",
    "payable": "S/SpecifiedTradeSettlementHeaderMonetarySummation/DuePayableAmount",
    "tax": "S/SpecifiedTradeSettlementHeaderMonetarySummation/TaxTotalAmount",
}
_CII_SHORT = {
    "S": "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement",
    "A": "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement",
}
_UBL = {
    "number": "ID",
    "issued": "IssueDate",
    "type_code": "InvoiceTypeCode|CreditNoteTypeCode",
    "currency": "DocumentCurrencyCode",
    "due": "DueDate|PaymentMeans/PaymentDueDate",
    "terms": "PaymentTerms/Note",
    "preceding": "BillingReference/InvoiceDocumentReference/ID",
    "seller": "AccountingSupplierParty/Party/PartyLegalEntity/RegistrationName"
    "|AccountingSupplierParty/Party/PartyName/Name",
    "seller_id": "AccountingSupplierParty/Party/PartyLegalEntity/CompanyID",
    "buyer": "AccountingCustomerParty/Party/PartyLegalEntity/RegistrationName"
    "|AccountingCustomerParty/Party/PartyName/Name",
    "buyer_id": "AccountingCustomerParty/Party/PartyLegalEntity/CompanyID",
    "buyer_email": "AccountingCustomerParty/Party/Contact/ElectronicMail",
    "means": "PaymentMeans/PaymentMeansCode",
    "reference": "PaymentMeans/PaymentID",
    "iban": "PaymentMeans/PayeeFinancialAccount/ID",
    "total": "LegalMonetaryTotal/TaxInclusiveAmount",
    "prepaid": "LegalMonetaryTotal/PrepaidAmount",
    "payable": "LegalMonetaryTotal/PayableAmount",
    "tax": "TaxTotal/TaxAmount",
}


def read_einvoice(raw: bytes) -> EInvoice | Fault:
    """The invoice of an XML file or of a PDF.

    Faults: `empty_file`, `file_too_large`, `einvoice_none` (no electronic invoice in it),
    `einvoice_broken`, `einvoice_bad_amount`, `einvoice_bad_date`.
    """
    if not raw.strip():
        return Fault("empty_file")
    try:
        xml = _embedded(raw) if raw.lstrip()[:5] == b"%PDF-" else raw
        if len(xml) > MAX_XML:
            return Fault("file_too_large", facts={"size": len(xml), "limit": MAX_XML})
        return _invoice(_parsed(xml))
    except Refused as refusal:
        return refusal.fault


def _embedded(raw: bytes) -> bytes:
    """The XML attached to a PDF, under one of the names of the standards."""
    try:
        with pikepdf.open(io.BytesIO(raw)) as pdf:
            for name, attachment in pdf.attachments.items():
                if name.lower() in EMBEDDED:
                    return _inflated(attachment.get_file().obj)
    except (pikepdf.PdfError, zlib.error):
        raise Refused(Fault("einvoice_broken", facts={"why": "le PDF ne s’ouvre pas"})) from None
    raise Refused(Fault("einvoice_none"))


def _inflated(stream: pikepdf.Object) -> bytes:
    """The bytes of an attachment, read no further than the limit allows: it may be a bomb."""
    raw = bytes(stream.read_raw_bytes())
    filters = stream.get("/Filter")
    if filters is None:
        return raw
    if str(filters).strip("[ ]") not in ("/FlateDecode", 'pikepdf.Name("/FlateDecode")'):
        raise Refused(Fault("einvoice_broken", facts={"why": "sa pièce jointe ne se lit pas"}))
    return zlib.decompressobj().decompress(raw, MAX_XML + 1)


def _parsed(xml: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError:
        raise Refused(Fault("einvoice_broken", facts={"why": "XML mal formé"})) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refused(Fault("einvoice_broken", facts={"why": "il contient une DTD"}))
    return root


def _invoice(root: etree._Element) -> EInvoice:
    kind = etree.QName(root).localname
    paths = _UBL if kind in ("Invoice", "CreditNote") else _CII
    if kind not in ("Invoice", "CreditNote", "CrossIndustryInvoice"):
        raise Refused(Fault("einvoice_none"))
    found = {name: _first(root, path) for name, path in paths.items()}
    if not found["number"] or not found["total"]:
        raise Refused(Fault("einvoice_none"))
    type_code = found["type_code"] or ("381" if kind == "CreditNote" else "380")
    total = _cents(found["total"])
    sign = -1 if type_code in CREDIT_NOTES and total > 0 else 1
    prepaid = _cents(found["prepaid"] or "0")
    payable = _cents(found["payable"]) if found["payable"] else total - prepaid
    return EInvoice(
        number=found["number"],
        issued=_day(found["issued"]),
        due=_day(found["due"]),
        type_code=type_code,
        currency=found["currency"] or "EUR",
        total=sign * total,
        prepaid=sign * prepaid,
        payable=sign * payable,
        tax=sign * _cents(found["tax"]) if found["tax"] else None,
        **_texts(found),
    )


def _texts(found: Mapping[str, str]) -> dict[str, str]:
    names = ("seller", "seller_id", "buyer", "buyer_id", "buyer_email", "terms", "preceding")
    return {name: found[name] for name in (*names, "means", "reference", "iban")}


def _first(root: etree._Element, paths: str) -> str:
    """The text at the first of the paths (parted by `|`) that holds one, in one line."""
    for path in paths.split("|"):
        for node in _nodes(root, path):
            text = " ".join((node.text or "").split())
            if text:
                return text
    return ""


def _nodes(root: etree._Element, path: str) -> Iterator[etree._Element]:
    first, slash, rest = path.partition("/")
    whole = f"{_CII_SHORT[first]}{slash}{rest}" if first in _CII_SHORT else path
    yield from root.iterfind("/".join(f"{{*}}{name}" for name in whole.split("/")))


def _cents(text: str) -> int:
    try:
        value = Decimal(text)
        if not value.is_finite() or abs(value) >= Decimal(10) ** 13:
            raise InvalidOperation
    except InvalidOperation:
        raise Refused(Fault("einvoice_bad_amount", facts={"value": text})) from None
    return int((value * 100).to_integral_value())


def _day(text: str) -> date | None:
    """AAAAMMJJ (format 102) or ISO."""
    digits = text.replace("-", "")[:8]
    if not digits:
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        raise Refused(Fault("einvoice_bad_date", facts={"value": text})) from None

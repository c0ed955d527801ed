"""Relance: chase unpaid invoices and missing receipts, and explain every decision."""

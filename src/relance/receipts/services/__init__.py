"""Verbs of the missing receipts."""

"""Pure readers and writers of files: bytes or a path in, rows out, faults as values.

What lives here: CSV and XLSX tables (`tabular`), the mapping of their columns (`columns`),
invoices and customers read through it (`invoices`, `customers`), the French ledger file
(`fec`), and exports (`workbook`). What does not: Django, clocks, the database, and any
decision about what is imported; the ledger takes rows and faults and applies them.

Read first: `tabular.open_table` and `invoices.read_invoices`. Every refusal is a
`faults.Fault` whose sentence stands in `sentences`.
"""

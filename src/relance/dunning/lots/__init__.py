"""Many customers in one deed: relances, campaigns, changes, files of plans; rows before deeds.

Read first: `batches.work` and `batches.advance`, then `batch_kinds` for which handler does the
lines of which kind. A new kind of lot is a `batches.Handler` named there.
"""

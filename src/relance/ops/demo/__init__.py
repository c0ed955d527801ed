"""The demonstration: an invented company, two years of its unpaid invoices, and a post office.

`clients` and `words` say who and with what words, `world` (pure) what happened on which day,
`build` lives through these days with the engine and the outbox, `launch` starts and stops all.
"""

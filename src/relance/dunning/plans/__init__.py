"""Which customer gets which plan, and what a plan would do; plans are saved by `services.plans`.

Read first: `rules.rule_q` (a rule as a question to the database), `rules.give_to_new`,
`arrivals`, which calls it for what an import brought, and `rehearsal.rehearse`.
"""

"""Chasing unpaid invoices: who is asked for what, when, in which words, and what came of it.

The folders, each importing only from those below it (import-linter holds it):

- `lots`, `plans`, `recaps`: many customers at once; who gets which plan; e-mails to users
- `services`: the verbs of people
- `daily`: the pass, the to-do list, the re-check; beside it `queries`: why, what next, what leaves
- `by_hand`: the gates of what a person chose to chase
- `wording`: templates, mails, letters
- `facts`: what is known on a date, and the copies for lists
- `models`
"""

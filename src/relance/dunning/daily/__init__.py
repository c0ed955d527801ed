"""The day's work without a person: decide, queue, open the to-do, re-check, record what left.

Read first: `run.tick` and `run.pass_window`; `deciding.decide_window`, which writes nothing;
`refreshing.refresh`, the same for the few customers that a person touched; `hooks.hooks`, what
the outbox asks and tells.
"""

"""`relance bench`: how fast the main job is, beside references measured in the same run.

`stage` starts each part in a process of its own on a scratch database and watches its memory;
`parts` are what those processes do; `ledger` and `reference` are SQL; `report` makes the table.
docs/bench.md tells what each figure means.
"""

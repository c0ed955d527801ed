"""What is known of customers on a date, and the copies of it by which lists filter and sort.

Lowest of the folders: nothing here words, sends or decides. Read first: `gather.cases`, which
builds the engine's cases; `outlooks.changed` and `to_chase.changed`, which compare a copy with
what was decided; `hours.next_departure`.
"""

"""What a person chose to chase, whatever the calendar of the plan says.

Read first: `gates.answer` (may these invoices be chased today, and at which level), then
`chosen.recheck`, which asks the same gates again before the message leaves.
"""

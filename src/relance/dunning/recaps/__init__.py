"""Regular e-mails to users: the week, the day's work, what will leave tomorrow.

Read first: `recaps.tick`, which writes down each one once; `recap_facts` gathers and words,
`recap_mail` makes text and HTML of it.
"""

"""The engine: what is to be done for one customer on one date, and if nothing, why.

Lives here: every rule of the chase, as pure functions of plain tuples. Cents are integers, dates are local dates
given as arguments. Does not live here: Django, a clock, chance, files, settings.

Read first ``model.py`` (what goes in and out), then ``decide.decide`` (the algorithm on one screen). ``review``
serves those who send, ``deeds`` those who record, ``forecast`` and ``wording`` those who explain, ``replay`` the
command line. ``docs/engine.md`` has the rules with examples that the tests run.
"""

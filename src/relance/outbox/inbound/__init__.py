"""What comes in: replies, refusals, absences, complaints and documents.

`intake` keeps a mail and finds whose it is; `deciding` says what follows, without a database;
`applying` does it, once, with what the rooms above add (`handlers`). `imap` reads mailboxes,
`work` is the worker's part, `care` what people set up.
"""

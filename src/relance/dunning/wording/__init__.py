"""The words of a message: the little language of templates, the mail, the letter, their table.

Words only: who is asked, and whether at all, is known by whoever calls. Read first:
`messages.drafts`, then `templating.render` and `letters.compose`.
"""

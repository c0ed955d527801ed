"""The answer "no" of this room."""


class BankRefused(Exception):  # noqa: N818 - it is an answer, not an accident
    """What was asked cannot be done; the text says why, in French."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code

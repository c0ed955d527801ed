"""What a verb of the outbox answers when it cannot be done; nothing was changed."""

from relance.outbox.models import PrintRun, Status


class OutboxError(Exception):
    """A verb that could not be done; nothing was changed."""


class StateConflictError(OutboxError):
    """The message is not, or no longer, in a state that allows this: it is in `status`."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the message is {status}")
        self.status = status


class PrintedError(StateConflictError):
    """Somebody holds this letter on paper: `run` says who; put its run back before anything."""

    def __init__(self, run: PrintRun) -> None:
        super().__init__(Status.QUEUED)
        self.run = run


class StepAlreadyQueuedError(OutboxError):
    """Another live message already carries the same step of one of these invoices."""

"""What the post office of the demonstration refuses. No Django: it opens before all the rest."""

from dataclasses import dataclass, field

from aiosmtpd.smtp import Envelope


@dataclass
class Refusing:
    """Answers 550 for these addresses, and takes every other mail."""

    addresses: set[str] = field(default_factory=set)

    def __call__(self, envelope: Envelope) -> str | None:
        """The answer of the sink for one envelope."""
        for address in envelope.rcpt_tos:
            if address in self.addresses:
                return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        return None

"""The one way in which bounds decline: say what is not covered, and why."""

from __future__ import annotations


class NotCoveredError(ValueError):
    """A bound would not be sound, or is not known, for this object.

    Attributes:
        what: the part that is not covered, e.g. "features extractor NatureCNN".
        reason: why, and what would be covered instead.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"no bound covers {what}: {reason}")
        self.what, self.reason = what, reason

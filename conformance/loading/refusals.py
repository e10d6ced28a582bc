"""Files that are not loaded: without trust, or at all."""

from __future__ import annotations


class UntrustedFile(ValueError):  # noqa: N818 (it names what is wrong with the file)
    """A policy that is code, or needs code, and was not said to be trusted.

    Args:
        source: The file.
        reason: Why it cannot be read as data.
    """

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(
            f"{source} cannot be loaded without running code that it carries: {reason}. If you "
            "know where it comes from, say --trust (trust=True)"
        )

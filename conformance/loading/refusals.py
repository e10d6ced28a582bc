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


class MaskedPolicy(ValueError):  # noqa: N818 (it names what the file holds)
    """A policy that asks the environment which actions are allowed, trusted or not."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source} holds a MaskablePPO, which chooses among the actions that the environment's "
            "masks allow: attacks and bounds ask a policy by its observation alone, and --trust "
            "would not change that. To measure it without masks, name a function (my_module:act) "
            "that returns model.predict(obs, deterministic=True)[0]"
        )

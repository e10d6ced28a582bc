"""Certify a policy's safety under attack."""

from safer_gym.conformance.certify.entry import certify

__all__ = ["certify"]

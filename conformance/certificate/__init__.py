"""Certificates as records: what they hold, how they are read, checked and compared."""

from safer_gym.conformance.certificate.record import Certificate

__all__ = ["Certificate"]

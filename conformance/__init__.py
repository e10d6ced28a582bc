"""Measure and certify a policy's safety under attack."""

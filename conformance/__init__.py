"""Measure, and later certify, a policy's safety under attack."""

"""Runs of any paper: what one is, how it is trained and measured, where, and its record."""

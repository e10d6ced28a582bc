"""A package of somebody else's that adds one of each; its entry point names this module."""

from swinging import algorithm, attack, composition, file_format, report, task

__all__ = ["algorithm", "attack", "composition", "file_format", "report", "task"]

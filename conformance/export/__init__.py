"""A trained policy as an ONNX or a TorchScript file that needs neither this package nor SB3."""

from safer_gym.conformance.export.export import TARGETS, Exported, export_policy

__all__ = ["TARGETS", "Exported", "export_policy"]

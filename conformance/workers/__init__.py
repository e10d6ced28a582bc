"""Jobs side by side: in processes of this machine, or on a Ray cluster."""

from safer_gym.conformance.workers.ray_workers import RayWorkers

__all__ = ["RayWorkers"]

"""Does a policy stay safe when somebody tampers with what it sees?

Importing this package puts the Bullet tasks into Gymnasium's registry, now or when Gymnasium is
imported; no simulator is loaded.
"""

from safer_gym.wrappers.adapters.registry import register_with_gymnasium

__version__ = "0.1.0"

register_with_gymnasium()

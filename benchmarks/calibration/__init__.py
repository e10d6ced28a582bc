"""How often gates and bounds err: simulated episodes, and rules that do not keep their word."""

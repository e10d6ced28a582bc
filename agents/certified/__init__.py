"""Training for certifiability: an actor whose mean an adversary can hardly move."""

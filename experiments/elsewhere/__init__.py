"""The constructors' defaults away from the Bullet tasks."""

"""One view of any policy: as a victim of attacks, and as a network that bounds can enclose."""

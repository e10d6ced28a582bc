"""How a certificate is made: jobs of episodes, bounds that wait for enough of them, decisions."""

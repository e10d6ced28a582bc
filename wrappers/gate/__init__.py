"""Can a policy, an environment and an attack be measured? One check each, for every door."""

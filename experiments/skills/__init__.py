"""Safe skill priors (Slack et al., 2022): tables and figures on the Operation suite, scaled."""

"""The template of the reproduction's page."""

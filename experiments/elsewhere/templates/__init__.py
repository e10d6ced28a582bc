"""The template of the page."""

"""Collection in a second process during the updates."""

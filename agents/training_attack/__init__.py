"""An attack inside learning."""

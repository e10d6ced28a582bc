"""What reproduces the papers: methods, claims, tables and results. Not part of the wheel."""

"""The SAFER paper: its methods, claims and tables, beside ours. The command is `reproduce`."""

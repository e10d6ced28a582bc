"""The command `reproduce`: which runs, how they are run, what is written."""

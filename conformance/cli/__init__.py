"""The command line: the one place of conformance that knows the algorithms by name."""

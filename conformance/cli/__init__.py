"""The command line: the one place of conformance that knows the algorithms by name."""

from safer_gym.conformance.cli.quiet import silence_gym_notice

silence_gym_notice()  # here, so that worker processes are quiet too

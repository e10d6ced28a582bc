"""Does a policy stay safe when somebody tampers with what it sees?"""

__version__ = "0.1.0"

"""The command line of mon."""

DISTRIBUTION = "mon"

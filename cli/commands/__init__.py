"""One file for each command that is not a stream."""

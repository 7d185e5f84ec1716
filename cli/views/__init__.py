"""What a stream looks like."""

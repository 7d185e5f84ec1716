"""What a quote is worth."""

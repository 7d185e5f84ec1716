"""What a venue is made with: book, candles, clock, numbers, times, decoding."""

"""From trigger to action: pairing, encoding, judging and the reject output."""

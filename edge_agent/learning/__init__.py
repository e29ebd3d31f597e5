"""What the station learns: examples become knowledge, and knowledge survives."""

"""Stand-ins that obey the same contracts as the real things: for tests only, never imported by what runs."""

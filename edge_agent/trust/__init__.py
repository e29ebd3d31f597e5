"""Whose word counts, and whose this station is: keys, signatures, certificates, the station's own key."""

"""The verbs that look at one recorded part beside all that is known: `why` and `escape`. They change nothing."""

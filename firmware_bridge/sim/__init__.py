"""A microcontroller in Python on the other end of a wire that can be bad: for tests, demonstrations and trials."""

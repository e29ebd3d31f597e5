"""What the verbs of the command line do, one module each; `cli` only parses what was typed."""

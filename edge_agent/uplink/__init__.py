"""The way to the console: what is recorded here is told there, whatever the network does."""

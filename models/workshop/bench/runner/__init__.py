"""What runs inside a peer's own environment: numpy, that runtime and nothing of this project."""

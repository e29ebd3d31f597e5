"""Where parts come from: the simulated line and recordings; each one delivers triggers, frames and windows."""

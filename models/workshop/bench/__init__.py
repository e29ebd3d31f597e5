"""The same trained model on every runtime that a station might have used, side by side on one machine."""

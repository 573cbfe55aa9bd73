"""Text to a positioned tree with its variables in place: YAML, interpolation, dotenv."""

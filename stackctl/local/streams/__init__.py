"""A container's input and output on this terminal: what is typed, shown, resized and let go."""

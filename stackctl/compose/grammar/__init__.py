"""The small languages inside values: quantities, names, images, constraints, commands. Pure."""

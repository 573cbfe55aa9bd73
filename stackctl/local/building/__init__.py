"""Building images: which files go to the builder, what it is asked, and what it answers."""

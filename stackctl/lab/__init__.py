"""Several nodes on one Linux machine, each with a network, a name and a real engine of its own."""

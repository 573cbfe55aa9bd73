"""The agent's edges: each module does one kind of effect and decides nothing."""

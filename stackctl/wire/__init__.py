"""Model to bytes and back: the agent protocol, the API's bodies, join tokens."""

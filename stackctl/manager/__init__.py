"""The edges of the manager: consensus, API, agent sessions, and on the leader the controllers."""

"""The replicated state machine: cluster state, commands, what applying one changes, queries."""

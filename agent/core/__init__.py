"""The agent's decisions: functions from values to values, without clock, thread, socket or file."""

"""Decisions: functions from state and time to changes; no clock, randomness, thread or socket."""

"""The agent's session with the managers: one connection at a time, to any of them.

session   tries managers, keeps one connection, starts anew when it is of no use
link      one connection: mutual TLS, Hello and Welcome, frames both ways, heartbeats
outbox    what waits to be sent, filled from any thread
"""

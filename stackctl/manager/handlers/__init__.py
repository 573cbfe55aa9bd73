"""Handlers of the API, one module per noun. Each takes the manager's parts and one call.

Reads wait for a barrier and ask `state.queries`; writes build one command, with the time and the
random seed it needs, and propose it.
"""

"""The command line: flags in, requests to a manager, text out. Decides nothing about the cluster.

A module per noun declares its flags; `listings` asks and prints tables; `waiting` follows a change
until it is done; `render` turns values into text. Start-up time is counted in milliseconds, so
modules are imported when their command runs.
"""

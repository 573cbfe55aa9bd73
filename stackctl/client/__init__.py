"""The API's client, for the command line and for anything else that asks a manager.

`views` are the answers, `transport` speaks HTTP, `contexts` finds the managers, `api` has a method
for each request, `convergence` judges whether a cluster has reached what was asked of it.

Standard library only, and little of that: a command that prints a table lives for a tenth of a
second, and every import is paid for each time.
"""

"""The worker: threads that carry out what `agent.core` decides, and bring back how it went.

loop          the one thread that decides: reconcile, hand out actions, wait
pool          threads that make the engine's calls
execution     one action -> engine, network and files -> one outcome (the only catcher)
observer      the engine's events, a full look when there may be news, a watchdog
network_part  the network of the newest assignment, applied in a thread of its own
"""

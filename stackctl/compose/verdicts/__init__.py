"""What becomes of each key of a Compose file, in a cluster and on one host.

One table (`table`) has a verdict for every key that Compose knows; `judge` looks the keys of a file
up in it. The documentation's table is made from it, so what is written there is what is done.
"""

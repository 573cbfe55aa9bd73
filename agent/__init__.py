"""The agent of a node: drives the local Docker Engine, the overlay, nftables and DNS."""

"""Stacks on one plain engine: `stackctl up` and the commands beside it, without a cluster."""

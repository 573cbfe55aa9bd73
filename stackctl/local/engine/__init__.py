"""The engine as this package speaks to it: where it is, HTTP, calls, and multiplexed output."""

"""stackctl: multi-host container stacks for people who know Docker Compose."""

__version__ = "0.1.0"

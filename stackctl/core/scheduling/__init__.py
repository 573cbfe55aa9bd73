"""Which node a task runs on, and the explanation when there is none."""

"""Values to text: tables, progress, logs, errors. Only `terminal` writes, all else is pure."""

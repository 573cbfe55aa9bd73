"""What only makes sense across sections, a module for each matter; `checks` runs them all."""

"""How many tasks a service has and when one takes another's place: slots, restarts, updates."""

"""The words of the project as frozen values: specs, objects, task states, assignments."""

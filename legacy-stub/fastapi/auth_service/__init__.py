"""The auth service that is being replaced, as a Python team writes it."""

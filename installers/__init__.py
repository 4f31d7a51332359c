"""Everything that turns a checkout into something a person can run. Standard library only."""

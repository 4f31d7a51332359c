"""Recipes of the packages that Reverie comes with: from public pictures to a measured package."""

"""Families that make pictures. One file each; they never import one another."""

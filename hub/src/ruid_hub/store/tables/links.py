"""Nodes that were let in, and what they are told."""

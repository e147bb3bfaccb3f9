"""Access is tested on both databases."""

from databases import opened, place, postgres_server, store

__all__ = ["opened", "place", "postgres_server", "store"]

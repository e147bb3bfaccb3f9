"""Every test here runs on each database."""

from databases import opened, place, postgres_server, store

__all__ = ["opened", "place", "postgres_server", "store"]

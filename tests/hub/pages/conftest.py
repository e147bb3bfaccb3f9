"""What is read here is read on each database."""

from databases import opened, place, postgres_server

__all__ = ["opened", "place", "postgres_server"]

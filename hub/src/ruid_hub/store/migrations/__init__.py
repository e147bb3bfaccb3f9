"""The steps from an empty file to the present schema, oldest first; alembic runs them when the hub opens."""

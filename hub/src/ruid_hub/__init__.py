"""The RuID hub: one per site; many nodes in, identities out.

`ingest` receives from the nodes, `service` decides what follows (commit, identity, live picture),
`identities` says who it is, `store` keeps it, `site` is the live picture, and `pages`, `live`, `api` and
`integrations` show it. `app` puts the parts together.
"""

__version__ = "0.1.0"

"""What programs read and change: health, metrics, the live picture, people, counts, cameras, nodes, accounts.

Everything under `/api/v1` is described by `/api/v1/openapi.json`. `guards` says who may use a route, `refusals` which
status says what the services refuse, `paging` and `exports` how lists come.
"""

"""What people see: one template a page, one documented context dataclass beside it.

htmx fragments are blocks of the page's own template, so what a page shows at first and what the live stream
brings later cannot differ. Every text is escaped by the template engine; nothing here marks text as safe.
"""

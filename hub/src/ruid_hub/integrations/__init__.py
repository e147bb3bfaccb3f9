"""How other systems learn about the site; metrics for Prometheus so far."""

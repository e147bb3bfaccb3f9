"""RuID."""

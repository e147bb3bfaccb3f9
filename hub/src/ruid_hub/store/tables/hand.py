"""What operators decided."""

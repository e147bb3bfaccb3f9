"""What is counted: crossings, stays in zones."""

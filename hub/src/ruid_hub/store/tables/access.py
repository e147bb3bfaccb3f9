"""Who may come in: users, sessions, tokens, and what they did."""

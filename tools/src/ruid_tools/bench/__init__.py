"""Benchmarks that anyone can run: ours against a named peer, in turns within one run, because machines are noisy."""

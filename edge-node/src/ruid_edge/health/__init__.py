"""How the node does: `stages` times the pipeline, `tally` counts by name, `machine` reads the hardware."""

"""`ruid demo`: a hub and a node per clip, as separate programs, exactly as they run on their own machines.

`command` is the command, `processes` starts and stops the programs, `hub_client` asks the hub, `status` shows
what happens on a terminal, `summary` adds up what `--once` did.
"""

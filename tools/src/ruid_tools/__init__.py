"""The `ruid` command: everything that is done with RuID from a terminal.

`cli` lists the commands, each of which lives in its own room: `demo`, `evaluation`, `bench`, `models`, `train`.
Commands print for people, or one JSON document with `--json`.
"""

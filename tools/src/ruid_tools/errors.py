"""What a command of `ruid` can end with; the text says what to do."""


class ToolError(Exception):
    """Ends the command with `exit_code`."""

    exit_code = 1

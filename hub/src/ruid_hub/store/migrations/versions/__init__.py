"""One file a step; a released step never changes again."""

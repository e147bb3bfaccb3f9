"""Pushes the live picture to every open page, as server-sent events.

`notifier` says that something changed, `picture` turns views of the site into fragments and remembers at which
revision each last changed, `feed` paces the two and lets each page catch up from the revision it has. A page
that is slow to read never holds up anybody: it has no queue, only a revision, and its next update brings it to
the newest state.
"""

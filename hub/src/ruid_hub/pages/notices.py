"""What a page says about what was just done, kept from the change until the page that follows it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from ruid_hub.hand import InViewTogether, LaterOperations, Operation, OperationKind, UnknownPerson
from ruid_hub.pages.frame import Notice
from ruid_hub.pages.texts import plural

NOTICES = 200
WORDS: dict[type[Exception], str] = {
    InViewTogether: "They were in one picture at the same time, so they are two people. Where a sighting belongs to "
    "neither, move it elsewhere first",
    UnknownPerson: "the hub knows them by another name by now, or has forgotten them. What you see now is up to date",
    LaterOperations: "later corrections build on this one. Undo them first, the newest one before the others",
}


class Notices:
    """One per hub; each notice is said once. Its key cannot be guessed, so no address can put words on a page."""

    def __init__(self, *, new_key: Callable[[], str]) -> None:
        self._new_key = new_key
        self._kept: OrderedDict[str, Notice] = OrderedDict()

    def keep(self, notice: Notice) -> str:
        """The key under which the next page finds it."""
        key = self._new_key()
        self._kept[key] = notice
        if len(self._kept) > NOTICES:
            self._kept.popitem(last=False)
        return key

    def take(self, key: str) -> Notice | None:
        """The notice, once."""
        return self._kept.pop(key, None)


def said(operation: Operation) -> Notice:
    """What an operator's correction did, with the way back where there is one."""
    if operation.undone_at_s is not None:
        return Notice(f"Undone: {operation.text}")
    elsewhere = operation.kind in {OperationKind.SPLIT, OperationKind.MOVE}
    return Notice(
        sentence(operation.text),
        undo_id=operation.operation_id if operation.undoable else None,
        person=operation.identity_id if elsewhere else "",
    )


def refusal(error: Exception) -> Notice:
    """Why something was not done; pages show no numbers of sightings and operations."""
    text = next((words for kind, words in WORDS.items() if isinstance(error, kind)), str(error))
    return Notice(f"{sentence(text)}.", refused=True)


def sentence(text: str) -> str:
    """With a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def in_all(notices: Sequence[Notice]) -> Notice:
    """What became of several answers about pairs: one that is out of date keeps no other from being given."""
    if not notices:
        return Notice("Choose somebody first.", refused=True)
    refused = [notice for notice in notices if notice.refused]
    answered = len(notices) - len(refused)
    if len(notices) == 1 or not answered:
        return notices[0]
    text = f"{plural(answered, 'pair', 'pairs')} answered. Each can be undone on the page of the person."
    return Notice(f"{text} Of {len(refused)} it was refused: {refused[0].text}" if refused else text)

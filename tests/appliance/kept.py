"""What a composed hub has kept, and whether anything of it is missing."""

from typing import Any

from appliance.engine import Composed, until

PATIENCE_S = 300.0
"""How long something that takes no time of its own may take on a machine that does much else. What was waited for is
seen within a quarter of a second; this is only how late a failure is told."""

# What the hub's database holds of each start of a node: every durable item has a number, from 1 on without a gap.
ACCOUNT = """
import json, sqlite3
db = sqlite3.connect("file:/data/hub.db?mode=ro", uri=True, isolation_level=None)
db.execute("BEGIN")  # one moment for all tables: the hub goes on
numbers, rows = {}, 0
for table in ("observations", "gaps", "crossings", "stays", "drops"):
    for node, boot, number in db.execute(f"SELECT node_key, boot_epoch, seq FROM {table} WHERE seq IS NOT NULL"):
        numbers.setdefault((node, boot), set()).add(number)
        rows += 1
print(json.dumps({
    "observations": db.execute("SELECT count(*) FROM observations").fetchone()[0],
    "identities": db.execute("SELECT count(*) FROM identities").fetchone()[0],
    "twice": rows - sum(map(len, numbers.values())),
    "missing": sum(max(of_a_boot) - len(of_a_boot) for of_a_boot in numbers.values()),
    "given_up": sorted(reason for (reason,) in db.execute("SELECT DISTINCT reason FROM drops")),
    "boots": len(numbers),
    "revision": db.execute("SELECT version_num FROM alembic_version").fetchone()[0],
    "sound": db.execute("PRAGMA integrity_check").fetchone()[0],
}))
"""


def account(site: Composed) -> dict[str, Any]:
    return site.python("hub", ACCOUNT)


def grows_beyond(site: Composed, observations: int) -> None:
    def grown() -> bool:
        now = site.python_if_up("hub", ACCOUNT)
        return now is not None and now["observations"] > observations

    until(
        grown,
        within_s=PATIENCE_S,
        what=f"more than {observations} observations",
        logs=lambda: site.logs("hub") + site.logs("edge"),
    )


def is_healthy(site: Composed, service: str) -> None:
    until(
        lambda: site.healthy(service),
        within_s=PATIENCE_S,
        what=f"{service} is healthy",
        logs=lambda: site.logs(service),
    )


def nothing_is_lost(site: Composed, *, before: dict[str, Any], but: frozenset[str] = frozenset()) -> None:
    """Every number that a node gave an item is at the hub once, whatever happened in between.

    `but` names reasons for which an item may have come without its content.
    """
    after = account(site)
    kept = {key: after[key] for key in ("twice", "missing", "sound")}
    assert kept == {"twice": 0, "missing": 0, "sound": "ok"}, after
    assert but.issuperset(after["given_up"]), after
    assert after["observations"] >= before["observations"], (before, after)
    assert after["identities"] > 0, "fewer than before are right where the hub has joined two meanwhile"

"""`ruid bench hub`: pages, live updates and commits of a hub under load."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ruid_tools.bench.hub import HubBenchSettings, bench_hub


def hub(
    *,
    observations: int = 10_000_000,
    cameras: int = 50,
    browsers: int = 20,
    seconds: float = 30.0,
    json: bool = False,
) -> None:
    """Time a hub with a full database, live traffic and open browsers.

    Parameters
    ----------
    observations
        How many are in the database, from the last 30 days; ten million take 3 GB of disk for a while.
    cameras
        How many cameras send.
    browsers
        How many browsers are open; each follows the live page and goes from page to page.
    seconds
        How long to look.
    json
        Print one JSON document and nothing else.
    """
    report = bench_hub(HubBenchSettings(observations=observations, cameras=cameras, browsers=browsers, seconds=seconds))
    if json:
        Console().out(msgspec.json.encode(report).decode(), highlight=False)
    else:
        _tell(report, Console())


def _tell(report: dict[str, Any], console: Console) -> None:
    table = Table("", "times", "p50 ms", "p95 ms", "max ms", title=f"{report['observations']:,} observations")
    rows = {
        **report["pages_ms"],
        "all pages": report["all_pages_ms"],
        "live update to browser": report["live_update_ms"],
        "commit, no browser": report["commit_ms"]["without_browsers"],
        "commit, all browsers": report["commit_ms"]["with_browsers"],
    }
    for name, spread in rows.items():
        table.add_row(name, *(str(spread.get(column, "")) for column in ("times", "p50", "p95", "max")))
    console.print(table)
    costs = ", ".join(f"{page} {cost_ms} ms" for page, cost_ms in report["cpu_ms"].items())
    console.print(f"processor time of a page that is asked for alone: {costs}")
    ahead = report["read_ahead"]
    console.print(
        f"counts read ahead {ahead['took_s']} s after the start (live updates meanwhile: "
        f"{ahead['live_update_ms'].get('p95', '-')} ms p95); then the month's page at first sight: "
        f"{report['first_month_ms']} ms; failures: {report['failures']}"
    )
    before, after = report["load_average"]
    console.print(
        f"the hub took {report['hub_cpu_share']:.0%} of a processor; load average {before} before, {after} after, "
        f"on {report['cpus']} processors; filled in {report['filled_s']} s"
    )

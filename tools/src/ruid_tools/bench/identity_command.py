"""`ruid bench identity`: what an observation costs as the gallery fills, and whether memory stays flat."""

import json as json_text
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from ruid_tools.bench.identity import IdentityBench, bench_identity

SIZES = (100, 1000, 10_000, 50_000)


def identity(
    *, observations: int = 4000, people: int | None = None, soak: int = 0, restart: int = 10_000, json: bool = False
) -> None:
    """Time the identity engine against nearest centroid, on galleries of 100 to 50,000 people.

    Parameters
    ----------
    observations
        How many are timed per gallery.
    people
        Time one gallery of so many people instead.
    soak
        Also watch memory over so many observations of 300 people; a million takes some minutes.
    restart
        How many people a restart has to remember.
    json
        Print the report as JSON.
    """
    report = bench_identity(
        SIZES if people is None else (people,), observations=observations, soak=soak, restart=restart
    )
    console = Console(soft_wrap=True)
    if json:
        console.print(json_text.dumps(asdict(report), indent=2), markup=False, highlight=False)
    else:
        console.print(_table(report))
        if report.exponent is not None:
            console.print(f"cost grows with people to the power {report.exponent:.2f}")
        console.print(f"restart with {report.restart_people} people: {report.restart_s:.2f} s")
    if report.soak is not None and not json:
        memory = " ".join(f"{mb:.0f}" for mb in report.soak.rss_mb)
        console.print(f"memory over {report.soak.observations} observations, MB: {memory}")


def _table(report: IdentityBench) -> Table:
    table = Table(title="an observation, 256 values")
    for heading in (
        "people",
        "µs p50",
        "µs p99",
        "per second",
        "nearest centroid",
        "ratio",
        "consolidation",
        "longest step",
    ):
        table.add_column(heading, justify="right")
    for size in report.sizes:
        table.add_row(
            str(size.people),
            f"{size.us_p50:.0f}",
            f"{size.us_p99:.0f}",
            f"{size.per_second:.0f}",
            f"{size.nearest_centroid_us_p50:.0f} µs",
            f"{size.times_nearest_centroid:.1f}",
            f"{size.consolidate_ms:.0f} ms",
            f"{size.longest_step_ms:.1f} ms",
        )
    return table

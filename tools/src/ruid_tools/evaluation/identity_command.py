"""`ruid eval identity`: score an engine on a stream, or make a stream from a re-identification set."""

import json as json_text
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ruid_edge.inference import InferenceError
from ruid_edge.inference.cards import find_model
from ruid_hub.identities import UnknownEngine
from ruid_tools.errors import ToolError
from ruid_tools.evaluation import identity_streams
from ruid_tools.evaluation.identity import IdentityReport, eval_identity
from ruid_tools.evaluation.identity_streams import IdentityStream, load_stream, save_stream
from ruid_tools.evaluation.reid_layout import ReidLayoutError
from ruid_tools.evaluation.reid_networks import ReidNetworkError


class IdentityUsageError(ToolError):
    """The options do not go together."""

    exit_code = 2


def identity(
    *,
    stream: Path | None = None,
    engine: str = "ruid",
    json: bool = False,
    make_stream: bool = False,
    reid: Path | None = None,
    model: str = "reid-osnet",
    out: Path | None = None,
    seed: int = 0,
) -> None:
    """Replay an identity stream and score it, online and final; or make one from a ReID set.

    Parameters
    ----------
    stream
        The .npz file to replay.
    engine
        The identity engine: ruid, dbstream, denstream, or another by name.
    json
        Print the report as JSON.
    make_stream
        Make a stream from --reid with --model into --out instead.
    reid
        A folder in Market-1501 layout.
    model
        A shipped embedder's name, or the path of an ONNX file or an OpenVINO .xml that takes raw BGR.
    out
        Where the stream is written.
    seed
        Seeds the order of arrival.
    """
    if make_stream:
        _make(reid, model, out, seed)
    elif stream is None:
        raise IdentityUsageError("name a stream with --stream FILE.npz, or make one with --make-stream")
    else:
        _score(load_stream(stream), engine, as_json=json)


def _make(reid: Path | None, model: str, out: Path | None, seed: int) -> None:
    if reid is None or out is None:
        raise IdentityUsageError("--make-stream needs --reid DIR and --out FILE")
    try:
        network = Path(model) if model.endswith(".xml") else find_model(model).path
        made = identity_streams.make_stream(reid, model=network, name=out.stem, seed=seed)
    except (InferenceError, ReidLayoutError, ReidNetworkError) as error:
        raise IdentityUsageError(str(error)) from error
    save_stream(made, out)
    Console().print(_made(made, out))


def _made(made: IdentityStream, out: Path) -> str:
    return f"{out}: {len(made)} observations of {len(set(made.identities.tolist()))} people"


def _score(stream: IdentityStream, engine: str, *, as_json: bool) -> None:
    try:
        report = eval_identity(stream, engine=engine)
    except UnknownEngine as error:
        raise IdentityUsageError(str(error)) from error
    console = Console(soft_wrap=True)
    if as_json:
        console.print(json_text.dumps(asdict(report), indent=2), markup=False, highlight=False)
    else:
        console.print(_table(report))


def _table(report: IdentityReport) -> Table:
    table = Table(title=f"{report.engine} on {report.stream}")
    for heading in ("", "online", "final"):
        table.add_column(heading)
    online, final = asdict(report.online), asdict(report.final)
    for name, value in online.items():
        table.add_row(name, _text(value), _text(final[name]))
    estimate = report.unique_estimate
    table.add_row("identities", f"{report.identities_true} true", f"{report.identities_found} found")
    table.add_row(
        "unique people",
        f"{estimate.value:.0f} ({estimate.low:.0f} to {estimate.high:.0f})",
        f"{report.unique_error:+.1%}",
    )
    times = report.us_per_observation
    table.add_row("µs per observation", f"p50 {times.p50:.0f}", f"p99 {times.p99:.0f}")
    table.add_row(
        "memory", f"{report.peak_rss_mb:.0f} MB peak", f"{report.state_bytes_per_identity:.0f} B per identity"
    )
    return table


def _text(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)

"""The `ruid` command's list of commands; each is imported when it is called."""

import sys

from cyclopts import App
from rich.console import Console

from ruid_edge.errors import EdgeError
from ruid_hub.errors import HubError
from ruid_tools.errors import ToolError

app = App(
    name="ruid",
    help="Follow people across cameras without sending video.",
    version_flags=[],
)
app.command("ruid_tools.demo.command:demo", name="demo", help="Show the whole product on bundled footage.")
app.command("ruid_tools.edge:edge", name="edge", help="Run a camera node.")
app.command("ruid_tools.hub:hub_app", name="hub", help="Run a hub, or look after its nodes.")
app.command("ruid_tools.checks:run_checks", name="test", help="Run every check and test.")
app.command("ruid_tools.footage:footage", name="footage", help="Cut the demo's clips from their recording.")
app.command("ruid_tools.locks:lock", name="lock", help="Make the hashed lock files anew.")

evaluate = App(name="eval", help="Score a part of RuID against ground truth.")
evaluate.command("ruid_tools.evaluation.identity_command:identity", name="identity")
evaluate.command("ruid_tools.evaluation.track_command:track", name="track")
evaluate.command("ruid_tools.evaluation.detector_command:detector", name="detector")
evaluate.command("ruid_tools.evaluation.crossings_command:crossings", name="crossings")
evaluate.command("ruid_tools.evaluation.reid_command:reid", name="reid")
evaluate.command("ruid_tools.evaluation.reid_quality_command:quality", name="quality")
app.command(evaluate)

bench = App(name="bench", help="Time a part of RuID against a named peer.")
bench.command("ruid_tools.bench.edge_command:edge", name="edge")
bench.command("ruid_tools.bench.identity_command:identity", name="identity")
bench.command("ruid_tools.bench.runtimes_command:runtimes", name="runtimes")
bench.command("ruid_tools.bench.hub_command:hub", name="hub")
bench.command("ruid_tools.bench.link_command:link", name="link")
bench.command("ruid_tools.bench.kills_command:kills", name="kills")
app.command(bench)

fleet = App(name="fleet", help="Many cameras and people, without any.")
fleet.command("ruid_tools.fleet.command:simulate", name="simulate")
app.command(fleet)

fuzz = App(name="fuzz", help="Feed damaged bytes to a part of RuID.")
fuzz.command("ruid_tools.bench.link_fuzz:link", name="link")
app.command(fuzz)

models = App(name="models", help="Build and verify the shipped models, and add your own.")
models.command("ruid_tools.models.add_command:add", name="add", help="Add a network of your own.")
models.command("ruid_tools.models.add_command:list_models", name="list", help="List the networks that there are.")
models.command("ruid_tools.models.command:verify", name="verify", help="Check every shipped file against its card.")
build = App(name="build", help="Make a shipped model anew from its source.")
build.command("ruid_tools.models.command:build_detector", name="detector")
build.command("ruid_tools.models.reid_command:build_reid", name="reid")
models.command(build)
app.command(models)

train = App(name="train", help="Train models from your own data.")
train.command("ruid_tools.train.command:train_reid", name="reid")
train.command("ruid_tools.train.detector_command:train_detector", name="detector")
app.command(train)

appliance = App(name="appliance", help="Cards and releases for devices that balena manages.")
appliance.command("ruid_tools.appliance.command:doctor", name="doctor", help="Say what is needed and what is missing.")
appliance.command("ruid_tools.appliance.command:flash", name="flash", help="Write a card for a new device.")
appliance.command("ruid_tools.appliance.command:push", name="push", help="Bring this tree to a fleet, a few first.")
appliance.command("ruid_tools.appliance.command:preload", name="preload", help="Put a release into an image.")
appliance.command("ruid_tools.appliance.command:push_local", name="push-local", help="Build on a device beside you.")
app.command(appliance)


def main() -> None:
    """Run the command of this process's arguments; what the user can mend is told in one line."""
    try:
        status = app(error_console=Console(stderr=True), exit_on_error=True)
    except (EdgeError, HubError, ToolError) as error:
        Console(stderr=True).print(f"ruid: {error}", style="red", soft_wrap=True, markup=False, highlight=False)
        sys.exit(error.exit_code)
    sys.exit(status if isinstance(status, int) else 0)

"""`barista backtest`: what Barista would have done on a recorded history, beside its rivals."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from barista.cli.backtest_trace import Trace
    from barista.cli.replay import Case
    from barista.values.profile import ExecutionProfile

DEFAULT_POLICIES = "barista,kpa,static,oracle"
MODEL, FLAVOR = "model", "replica"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("backtest")(command)


def command(
    data: Annotated[
        Path | None,
        typer.Argument(help="CSV with the columns timestamp (UTC) and value (requests in the step)"),
    ] = None,
    departures: Annotated[
        bool, typer.Option("--departures", help="Play the bundled departures instead.")
    ] = False,
    prometheus: Annotated[str, typer.Option(help="URL of a Prometheus whose history to play instead.")] = "",
    service: Annotated[str, typer.Option(help="NAMESPACE/NAME, for --prometheus.")] = "",
    days: Annotated[int, typer.Option(min=2, help="Days to ask --prometheus for.")] = 14,
    step: Annotated[float, typer.Option(min=1, help="Step (s) of --departures and --prometheus.")] = 300.0,
    start: Annotated[
        str | None, typer.Option("--from", help="First moment played (default: after what is learned from).")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="End of what is played (default: that of the trace).")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Whose days the demand follows.")] = "UTC",
    rate_factor: Annotated[
        float, typer.Option(min=1e-6, help="Times as many requests as were counted (Poisson).")
    ] = 1.0,
    slo: Annotated[float, typer.Option(min=1, help="Latency objective (ms).")] = 400.0,
    percentile: Annotated[
        float, typer.Option(min=1, max=99.9, help="Percent of requests that must keep it.")
    ] = 95.0,
    setup_time: Annotated[
        float | None,
        typer.Option(min=0, help="Set-up time (s) of a replica (default: the profile's, or 60)."),
    ] = None,
    profile: Annotated[Path | None, typer.Option(help="Execution profile by `barista profile`.")] = None,
    flavor: Annotated[str, typer.Option(help="Which flavor of --profile.")] = "",
    service_time: Annotated[
        str, typer.Option(help="Without a profile: MEAN:P95 of a request (ms, log-normal).")
    ] = "80:120",
    queue_limit: Annotated[
        int, typer.Option(min=0, help="Requests that may wait; who comes then is refused.")
    ] = 50,
    price: Annotated[float, typer.Option(min=0, help="What a replica costs an hour.")] = 1.0,
    policies: Annotated[str, typer.Option(help="Who decides; several with commas.")] = DEFAULT_POLICIES,
    forecaster: Annotated[str, typer.Option(help="Barista's forecaster.")] = "ensemble",
    knobs: Annotated[
        bool, typer.Option("--knobs", help="Try each policy over its own knob: the trade-off.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Plays of each policy, with other chances.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes to play in (default: one a core).")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to write to.")] = Path(
        "backtest-output"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Play a recorded history again under Barista and its rivals: cost, violations and a report."""
    from barista.cli.backtest_run import Plan, run
    from barista.cli.forecast import WrongInput
    from barista.load.departures import NoTrace
    from barista.load.history import NoHistory
    from barista.policies import PolicyError
    from barista.profile.store import ProfileError
    from barista.report.backtest import document
    from barista.report.backtest_page import write_page
    from barista.report.backtest_text import table

    try:
        trace = _trace(data, departures, prometheus, service, days, step, time_zone, output)
        measured = _measured(profile, flavor, service_time, setup_time)
        case = _case(trace, measured, start, end, rate_factor)
        case = replace(
            case,
            slo_s=slo / 1000,
            percentile=percentile / 100,
            cost_per_hour=price,
            queue_limit=queue_limit,
            forecaster=forecaster,
        )
        names = tuple(dict.fromkeys(name.strip() for name in policies.split(",") if name.strip()))
        plan = Plan(names, seeds, knobs, output, workers)
        backtest = run(case, trace.title, plan)
    except (WrongInput, NoHistory, NoTrace, PolicyError, ProfileError) as error:
        typer.echo(f"barista backtest: {error}", err=True)
        raise typer.Exit(2) from error
    page = write_page(output, backtest)
    (output / "backtest.json").write_text(json.dumps(document(backtest), indent=1) + "\n")
    if as_json:
        typer.echo(json.dumps(document(backtest), indent=1))
        return
    from rich.console import Console

    console = Console()
    console.print(table(backtest))
    console.print(f"report: {page}", soft_wrap=True)


def _trace(
    data: Path | None,
    departures: bool,
    prometheus: str,
    service: str,
    days: int,
    step_s: float,
    time_zone: str,
    output: Path,
) -> "Trace":
    from barista.cli.backtest_trace import of_csv, of_departures, of_prometheus
    from barista.cli.forecast import WrongInput

    if (data is not None) + departures + bool(prometheus) != 1:
        raise WrongInput(
            "need one history: a CSV file, --departures, or --prometheus URL --service NAMESPACE/NAME"
        )
    if data is not None:
        return of_csv(data, time_zone)
    if departures:
        return of_departures(step_s)
    from barista.cli.backtest_run import tracked

    return of_prometheus(prometheus, service, days, step_s, output / "history", time_zone, tracked)


def _measured(path: Path | None, flavor: str, times: str, setup_s: float | None) -> "ExecutionProfile":
    """The profile to play by: measured, or log-normal by its mean and 95th percentile."""
    from barista.cli.forecast import WrongInput
    from barista.profile.store import read_profiles
    from barista.values.profile import Distribution, ExecutionProfile

    if path is None:
        from barista.cli.lognormal import lognormal

        try:
            mean, p95 = (float(part) / 1000 for part in times.split(":"))
            time_s = lognormal(mean, p95)
        except ValueError as error:
            raise WrongInput(f"--service-time {times!r}: need MEAN:P95 in ms, e.g. 80:120: {error}") from None
        return ExecutionProfile(
            MODEL, FLAVOR, time_s, Distribution.constant(60.0 if setup_s is None else setup_s)
        )
    by_flavor = {measured.flavor: measured for measured in read_profiles(path)}
    if not flavor and len(by_flavor) == 1:
        flavor = next(iter(by_flavor))
    if flavor not in by_flavor:
        raise WrongInput(f"--flavor {flavor!r}: {path} has {', '.join(sorted(by_flavor))}: name one of them")
    chosen = by_flavor[flavor]
    return chosen if setup_s is None else replace(chosen, setup_time=Distribution.constant(setup_s))


def _case(
    trace: "Trace", measured: "ExecutionProfile", start: str | None, end: str | None, rate_factor: float
) -> "Case":
    from barista.cli.backtest_trace import cut
    from barista.cli.replay import Case
    from barista.load.arrivals import counts_at

    start_s, end_s = cut(trace, start, end)
    return Case(
        service=trace.service,
        demand=counts_at(trace.demand, rate_factor, seed=0),
        start_s=start_s,
        end_s=end_s,
        profile=measured,
        slo_s=0.4,
        percentile=0.95,
        calendar=trace.calendar,
    )

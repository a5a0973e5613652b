"""The live view: a run while it lasts, in the terminal.

It follows the files that the run is writing and nothing else, so it can be opened, closed and
opened again beside a run without touching it. Where the output is no terminal (a log, a CI job) it says
the same in one line every ten seconds.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from barista.report.headline import money
from barista.report.recording import COLUMNS, CYCLES, DECISIONS, REQUESTS
from barista.report.records import (
    Cycle,
    LoggedDecision,
    RecordingError,
    RunInfo,
    ServiceCycle,
    parse_line,
)
from barista.report.scores import cost_so_far
from barista.values.decision import ChangeKind
from barista.values.observation import Freshness

WINDOW_S = 15.0
LINE_EVERY_S = 10.0
BARS = "▁▂▃▄▅▆▇█"
SPARKS = 24


class Tail:
    """The lines that were added to a file since the last look; a line still being written waits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def lines(self) -> Iterator[tuple[str, str]]:
        """New whole lines, each with its place. A file that is not there yet has none."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                if line.strip():
                    yield f"{self.path} at byte {self._read - len(line)}", line.decode().rstrip("\r\n")


class LiveView:
    """A view of the run that is being written to `run_dir` and was announced as `run`."""

    def __init__(self, run_dir: Path, run: RunInfo, console: Console | None = None) -> None:
        self.run = run
        self.console = console or Console()
        self._cycle_tail = Tail(run_dir / CYCLES)
        self._decision_tail = Tail(run_dir / DECISIONS)
        self._request_tail = Tail(run_dir / REQUESTS)
        self._cycles: list[Cycle] = []
        self._decisions: deque[LoggedDecision] = deque(maxlen=5)
        self._latency: dict[str, deque[tuple[float, float]]] = {s: deque() for s in run.services}
        self._sent = dict.fromkeys(run.services, 0)
        self._missed = dict.fromkeys(run.services, 0)

    def follow(self, is_over: Callable[[], bool], every_s: float = 1.0) -> None:
        """Show the run until `is_over` says so; looks at the files every `every_s` seconds."""
        if not self.console.is_terminal:
            self._print_lines(is_over, every_s)
            return
        with Live(console=self.console, auto_refresh=False) as live:
            while True:
                over = is_over()
                self.read()
                live.update(self.render(time.time()), refresh=True)
                if over:
                    return
                time.sleep(every_s)

    def _print_lines(self, is_over: Callable[[], bool], every_s: float) -> None:
        printed_s = -LINE_EVERY_S
        while True:
            over = is_over()
            if over or time.monotonic() - printed_s >= LINE_EVERY_S:
                self.read()
                self.console.print(self.line(time.time()), highlight=False, soft_wrap=True)
                printed_s = time.monotonic()
            if over:
                return
            time.sleep(every_s)

    def read(self) -> None:
        """Take in what was written since the last time. RecordingError when a line is wrong."""
        for place, line in self._cycle_tail.lines():
            self._cycles.append(parse_line(Cycle, line, place))
        for place, line in self._decision_tail.lines():
            self._decisions.append(parse_line(LoggedDecision, line, place))
        for place, line in self._request_tail.lines():
            try:
                self._take(dict(zip(COLUMNS, line.split(","), strict=False)))
            except (KeyError, ValueError) as error:
                raise RecordingError(f"{place}: {error}; need {','.join(COLUMNS)}") from error

    def _take(self, row: dict[str, str]) -> None:
        service = row.get("service", "")
        if service not in self._sent:
            return  # the header, or a service of another run
        arrived_s, latency_s = float(row["arrived_s"]), float(row["latency_s"] or "nan")
        done = 200 <= int(row["status"]) < 300
        self._sent[service] += 1
        self._missed[service] += not (done and latency_s <= self.run.services[service].slo_latency_s)
        if done:
            self._latency[service].append((arrived_s, latency_s))

    def latency_s(self, service: str, now_s: float) -> float | None:
        """Latency at the SLO's percentile of the requests of the last 15 s; None without any."""
        recent = self._latency[service]
        while recent and recent[0][0] < now_s - WINDOW_S:
            recent.popleft()
        if not recent:
            return None
        percentile = self.run.services[service].slo.percentile
        return float(np.quantile([latency for _, latency in recent], percentile))

    def render(self, now_s: float) -> RenderableType:
        """The whole view at the moment `now_s` (seconds since the epoch)."""
        table = Table(expand=True, box=None, padding=(0, 1), header_style="dim")
        for name, justify in _HEADINGS:
            table.add_column(name, justify=justify, no_wrap=True)
        for service in self.run.services:
            table.add_row(*self._row(service, now_s))
        parts: list[RenderableType] = [table]
        if self._decisions:
            parts += [Text(), *(self._said(d) for d in self._decisions)]
        return Panel(Group(*parts), title=self._title(now_s), title_align="left", border_style="dim")

    def line(self, now_s: float) -> str:
        """The same in one line of plain text."""
        parts = [self._clock(now_s)]
        for service, info in self.run.services.items():
            seen = self._last(service)
            late = self.latency_s(service, now_s)
            within = f"of {info.slo_latency_s * 1000:.0f} ms at p{info.slo.percentile * 100:g}"
            parts.append(
                f"{service}: {_rps(seen.demand_rps if seen else None)} rps, {_replicas(seen)},"
                f" {'no answers' if late is None else f'{late * 1000:.0f} ms {within}'}"
            )
        return " | ".join([*parts, f"cost {money(self._spent())}"])

    def _title(self, now_s: float) -> Text:
        plan = self._cycles[-1].plan if self._cycles else None
        planned = f"  plan {plan.status}" if plan else ""
        cost = f"  cost {money(self._spent())}"
        return Text.assemble((f" {self.run.policy} ", "bold"), self._clock(now_s), planned, cost, " ")

    def _clock(self, now_s: float) -> str:
        elapsed_s = min(max(0.0, self.run.elapsed(now_s)), self.run.minutes * 60)
        trace = self.run.clock.at(elapsed_s)
        return f"{elapsed_s:.0f} of {self.run.minutes * 60:.0f} s, trace {trace:%a %H:%M}"

    def _row(self, service: str, now_s: float) -> tuple[RenderableType, ...]:
        seen, slo = self._last(service), self.run.services[service].slo
        late, sent = self.latency_s(service, now_s), self._sent[service]
        latency = Text("–", "dim")
        if late is not None:
            style = (
                "green" if late <= 0.8 * slo.latency_s else "yellow" if late <= slo.latency_s else "bold red"
            )
            latency = Text(f"{late * 1000:.0f} / {slo.latency_s * 1000:.0f} ms", style)
        demand = Text(_rps(seen.demand_rps if seen else None))
        if seen and seen.freshness is not Freshness.FRESH:
            demand.append(f" {seen.freshness}", "red")
        return (
            Text(service, "bold"),
            demand,
            Text(self._sparkline(service), "blue"),
            Text(_rps(max(seen.forecast.mean) if seen and seen.forecast else None), "blue"),
            _rps(seen.capacity_rps if seen else None),
            _replicas(seen),
            latency,
            f"{1 - self._missed[service] / sent:.1%}" if sent else "–",
        )

    def _sparkline(self, service: str) -> str:
        """Demand of the last cycles; a blank where it was not seen."""
        last = [c.services[service].demand_rps for c in self._cycles[-SPARKS:] if service in c.services]
        top = max((d for d in last if d is not None), default=0.0) or 1.0
        return "".join(" " if d is None else BARS[min(7, int(8 * d / top))] for d in last)

    def _said(self, decision: LoggedDecision) -> Text:
        rises = decision.rise(self.run.flavors) > 0
        why = "; ".join(r.text for r in decision.reasons if r.binds) or "; ".join(
            r.text for r in decision.reasons[:1]
        )
        what = f"{decision.before} → {decision.after}"
        if decision.kind is ChangeKind.HORIZONTAL:
            what += f" × {decision.flavor}"
        return Text.assemble(
            (f"{self.run.elapsed(decision.at_s):5.0f} s ", "dim"),
            ("▲ " if rises else "▼ ", "green" if rises else "yellow"),
            (f"{decision.service} {what}  ", ""),
            (why, "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )

    def _last(self, service: str) -> ServiceCycle | None:
        return self._cycles[-1].services.get(service) if self._cycles else None

    def _spent(self) -> float:
        if not self._cycles:
            return 0.0
        cycles = tuple(self._cycles)
        return sum(float(cost_so_far(self.run, cycles, s)[1][-1]) for s in self.run.services)


_HEADINGS: tuple[tuple[str, JustifyMethod], ...] = (
    ("service", "left"),
    ("demand", "right"),
    ("", "left"),
    ("forecast max", "right"),
    ("capacity", "right"),
    ("replicas", "left"),
    ("latency / SLO", "right"),
    ("within SLO", "right"),
)


def _rps(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _replicas(seen: ServiceCycle | None) -> Text:
    """``2 cpu-1 +1``: two serve, one is starting."""
    shown = Text()
    for flavor, counts in (seen.replicas if seen else {}).items():
        if counts.ready or counts.starting:
            shown.append(f"{', ' if shown else ''}{counts.ready} {flavor}")
            if counts.starting:
                shown.append(f" +{counts.starting}", "yellow")
    return shown or Text("none" if seen else "–", "dim")

"""The page: one self-contained HTML file that says what a run did, what it cost, and why.

Everything is in the file (pictures as data, no script, nothing loaded from elsewhere), so that it
can be mailed or kept. Beside it lie the same figures for programs, and the pictures.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from barista.report import plots
from barista.report.headline import headline, kept, money, percent, policy_name
from barista.report.recording import Run
from barista.report.records import LoggedDecision
from barista.report.scores import Score, ahead_of_load, report_json, scores, total

PICTURES = {
    "demand": "What arrived, what was foreseen of it when a replica could still be ordered, and what"
    " could be served within the objective.",
    "replicas": "Replicas by flavor: filled while they serve, hatched while they start, pale while they"
    " drain. Triangles mark decisions.",
    "latency": "Each dot is a request, each line the 95th percentile of the last 15 seconds.",
    "cost": "What replicas cost from their order to their end, added up from cycle to cycle.",
}


def write_report(output: Path, runs: Mapping[str, Run]) -> Path:
    """Write ``report.html``, ``report.json`` and the pictures of `runs` (by policy) into `output`.

    The report is about the first run; a second one is its rival on the same arrivals. Returns the path
    of the page. ValueError when `runs` is empty; OSError when `output` cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    document = report_json(runs)
    output.mkdir(parents=True, exist_ok=True)
    (output / "report.json").write_text(json.dumps(document, indent=2) + "\n")
    pictures = plots.draw(output, runs)
    environment = Environment(
        loader=PackageLoader("barista.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "share": percent, "ms": _ms, "policy": policy_name}
    page = output / "report.html"
    page.write_text(environment.get_template("report.html.j2").render(_context(runs, document, pictures)))
    return page


def _context(
    runs: Mapping[str, Run], document: Mapping[str, Any], pictures: Mapping[str, Path]
) -> dict[str, Any]:
    run = next(iter(runs.values()))
    headlines = headline(runs)
    return {
        "headline": headlines[0],
        "more": headlines[1:],
        "info": run.info,
        "end": run.info.clock.at(run.info.elapsed(run.end_s)),
        "seconds": run.info.elapsed(run.end_s),
        "tables": {name: _table(of) for name, of in runs.items()},
        "cut_off": [name for name, of in runs.items() if of.usage is None],
        "pictures": [(name, _data_uri(pictures[name]), text) for name, text in PICTURES.items()],
        "foresight": [(run.info.elapsed(a.decision.at_s), a) for a in ahead_of_load(run)],
        "elapsed": run.info.elapsed,
        "decisions": {name: [_decision(of, d) for d in of.decisions] for name, of in runs.items()},
        "cycles": document["cycles"],
        "several": len(runs) > 1,
    }


def _table(run: Run) -> list[tuple[Score, str, str]]:
    """Rows: a service's score, its objective, the share kept; the last row sums them up."""
    parts = scores(run)
    rows = [(part, str(run.info.services[part.name].slo), kept(part)) for part in parts]
    return rows if len(parts) == 1 else [*rows, (total(parts), "", kept(total(parts)))]


def _decision(run: Run, decision: LoggedDecision) -> dict[str, Any]:
    horizontal = decision.kind == "horizontal"
    count = "" if horizontal else f"{decision.count} × "
    ready_s = decision.ready_at_s
    rise = decision.rise(run.info.flavors)
    return {
        "at": run.info.elapsed(decision.at_s),
        "clock": run.info.clock.at(run.info.elapsed(decision.at_s)),
        "service": decision.service,
        "change": f"{count}{decision.before} → {decision.after}",
        "flavor": decision.flavor if horizontal else "in place",
        "direction": "up" if rise > 0 else "down",
        "ready": run.info.elapsed(ready_s) if ready_s is not None and rise > 0 else None,
        "path": [_counts(c) for c in (decision.raw, decision.bounded, decision.final)],
        "reasons": decision.reasons,
    }


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} × {flavor}" for flavor, n in counts.items()) or "none"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")

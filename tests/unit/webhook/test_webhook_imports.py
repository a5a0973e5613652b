"""What starting the webhook costs: nothing heavy is loaded, neither to serve nor to say how."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "mip", "pandas", "numba", "scipy", "sklearn", "matplotlib", "neuralprophet", "prophet")
SERVING = "import barista.cli.webhook, barista.webhook.serve, barista.webhook.memory, barista.webhook.names"
HELP = (
    "from typer.testing import CliRunner; from barista.cli.main import app;"
    " CliRunner().invoke(app, ['webhook', '--help'])"
)


@pytest.mark.parametrize("code", [SERVING, HELP])
def test_nothing_heavy_is_loaded(code: str) -> None:
    script = f"import sys; {code}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []

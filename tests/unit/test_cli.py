"""The command line: quick to help, and one clear line for wrong input, with exit code 2."""

import subprocess
import sys

import pytest

from barista import __version__


def barista(*arguments: str, cwd=None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "barista", *arguments), capture_output=True, text=True, check=False, cwd=cwd
    )


def test_version_is_printed():
    assert barista("version").stdout.strip() == __version__


def test_help_names_every_command():
    told = barista("--help").stdout
    for command in ("demo", "run", "plan", "forecast", "profile", "models", "explain", "version"):
        assert command in told


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from barista.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'torch', 'neuralprophet', 'prophet', 'mip', 'pandas', 'matplotlib', 'aiohttp', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    told = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert told.stdout.strip() in ("[]", "['numpy']")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("demo", "--policy", "hpa"), 2, "--policy 'hpa': no such policy; known: barista, kpa, static"),
        (("run", "absent.yaml"), 2, "absent.yaml: cannot be read"),
        (("plan", "absent.json"), 2, "absent.json"),
        (("profile",), 2, "name either SERVICES.yaml or --model"),
        (("profile", "--model", "digits", "--flavor", "big"), 2, "--flavor 'big': need NAME=CPU"),
        (("models", "build", "absent"), 2, "model 'absent': not in the store"),
        (("explain", "digits", "--run", "absent"), 1, "absent: not the directory of a run"),
        (
            (
                "forecast",
                "absent.csv",
                "--forecaster=last-value",
                "--lead=1",
                "--test-start=2014-01-01",
                "-oa",
            ),
            2,
            "absent.csv",
        ),
    ],
)
def test_wrong_input_is_one_line_that_names_it(arguments, code, said, tmp_path):
    ended = barista(*arguments, cwd=tmp_path)
    assert ended.returncode == code
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_service_of_an_unknown_flavor_is_named_with_the_known_ones(tmp_path):
    services = tmp_path / "services.yaml"
    services.write_text(
        "pools: {p: {cpu: 1, memory_gib: 1}}\n"
        "flavors: {small: {pool: p, cpu: 1, memory_gib: 1, cost_per_hour: 1}}\n"
        "services: [{name: a, model: digits, flavors: [large]}]\n"
    )
    ended = barista("run", str(services))
    assert ended.returncode == 2
    assert "services[a].flavors: flavor 'large': no such flavor; known: small" in ended.stderr

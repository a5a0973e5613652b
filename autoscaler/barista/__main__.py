"""``python -m barista``: the `barista` command, for processes that start one of their own."""

from barista.cli.main import run_app

run_app()

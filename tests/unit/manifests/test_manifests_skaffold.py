"""skaffold.yaml keeps Skaffold's own schema, which comes with its Go module; no copy of it is kept here."""

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
MODULE = "github.com/GoogleContainerTools/skaffold/v2@v2.16.1"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Skaffold's module lies after its download."""
    if shutil.which("go") is None:
        pytest.skip("go is not here to download Skaffold's module")
    command = ["go", "mod", "download", "-json", MODULE]
    elsewhere = tmp_path_factory.mktemp("no-module")
    run = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, timeout=200)
    told = json.loads(run.stdout or "{}")
    if "Dir" not in told:
        pytest.skip(f"{MODULE} cannot be downloaded: {told.get('Error', run.stderr.strip())}")
    return Path(told["Dir"])


def test_skaffold_accepts_its_configuration(module: Path) -> None:
    document = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    version = document["apiVersion"].removeprefix("skaffold/")
    schema = json.loads((module / f"docs-v2/content/en/schemas/{version}.json").read_text())
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "biuld": {}}, schema)

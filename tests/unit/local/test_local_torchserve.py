import zipfile
from pathlib import Path

import pytest

from barista.platforms.local.process import StartError
from barista.platforms.local.torchserve import TorchServe
from barista.ports.model_server import Launch


@pytest.fixture
def launch(tmp_path):
    archive = tmp_path / "digits.mar"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.py", "class Digits: ...")
    return Launch("digits", archive, Path(tmp_path.anchor, "tmp", "unused"), 1001, 1002, 1003, workers=2)


def within(launch, work_dir, archive=None):
    return Launch(launch.model, archive or launch.archive, work_dir, 1001, 1002, 1003, launch.workers)


def test_it_is_told_its_ports_its_workers_and_the_unpacked_model(launch, tmp_path):
    command = TorchServe().prepare(within(launch, tmp_path / "w"))
    config = (tmp_path / "w" / "config.properties").read_text()
    assert "inference_address=http://127.0.0.1:1001\n" in config
    assert "default_workers_per_model=2\n" in config
    assert (tmp_path / "w" / "store" / "digits" / "model.py").is_file()
    assert command.env["OMP_NUM_THREADS"] == "1"
    assert "org.pytorch.serve.ModelServer" in command.argv


def test_without_java_it_says_what_to_install(launch, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StartError, match=r"no java in JAVA_HOME .*; install a JDK: apt-get install openjdk"):
        TorchServe().prepare(within(launch, tmp_path / "w"))


def test_an_archive_that_is_none_is_named(launch, tmp_path):
    broken = tmp_path / "broken.mar"
    broken.write_text("no zip file")
    with pytest.raises(StartError, match=r"archive .*broken\.mar: File is not a zip file; `barista models"):
        TorchServe().prepare(within(launch, tmp_path / "w", broken))


def test_a_directory_too_deep_for_a_socket_is_refused(launch, tmp_path):
    with pytest.raises(StartError, match="set TMPDIR to a shorter directory"):
        TorchServe().prepare(within(launch, tmp_path / ("deep" * 25)))


async def test_a_server_that_is_not_there_is_not_ready(launch):
    assert not await TorchServe().is_ready(launch)

"""TorchServe as a model server: what to write for it, how to start it, when it is ready.

Java is started directly (the `torchserve` launcher keeps one pid file a machine, and its end leaves
Java running), with a small heap and only the quick compiler: the models run in Python workers, and a
cold start on part of a core is what a replica waits for. The archive is unpacked here, outside the
replica's cpu limit, which spares the start another copy of the weights.
"""

import os
import shutil
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import aiohttp

from barista.platforms.local.process import StartError
from barista.ports.model_server import Command, Launch

JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
QUEUE = 100
MISSING = "torchserve: the package is not installed; install it: pip install 'knative-barista[torchserve]'"
ANSWER_WITHIN_S = 2.0
_SOCKET_PATH_LIMIT = 107
_CONFIG = """\
inference_address=http://127.0.0.1:{launch.inference_port}
management_address=http://127.0.0.1:{launch.management_port}
metrics_address=http://127.0.0.1:{launch.metrics_port}
grpc_inference_port=0
grpc_management_port=0
metrics_mode=prometheus
disable_system_metrics=true
disable_token_authorization=true
install_py_dep_per_model=false
default_workers_per_model={launch.workers}
number_of_netty_threads=1
job_queue_size={queue}
model_store={store}
load_models={launch.model}={launch.model}
"""
# A line a request, as TorchServe writes by default, costs more than answering a small model does.
_LOGGING = """\
<Configuration>
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %-5p %c: %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="MODEL_LOG" level="info">
      <RegexFilter regex="Backend received inference.*" onMatch="DENY" onMismatch="NEUTRAL"/>
    </Logger>
    <Root level="warn"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""


class TorchServe:
    """TorchServe (ModelServer)."""

    name = "torchserve"

    def version(self) -> str:
        """Version of the installed TorchServe. StartError when there is none."""
        try:
            return version("torchserve")
        except PackageNotFoundError as error:
            raise StartError(MISSING) from error

    def prepare(self, launch: Launch) -> Command:
        """Unpack the archive and write the configuration into `launch.work_dir`; the command to start.

        StartError when Java, TorchServe or the archive is missing.
        """
        home, java = _package_home(), _java()
        store, scratch = launch.work_dir / "store", launch.work_dir / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        _check_socket_path(scratch)
        _unpack(launch.archive, store / launch.model)
        config, logging = launch.work_dir / "config.properties", launch.work_dir / "log4j2.xml"
        config.write_text(_CONFIG.format(launch=launch, store=store, queue=QUEUE))
        logging.write_text(_LOGGING)
        argv = (
            *(java, *JVM),
            f"-Dmodel_server_home={home}",
            f"-Djava.io.tmpdir={scratch}",
            f"-Dlog4j.configurationFile={logging}",
            *("-cp", str(home / "ts" / "frontend" / "*")),
            "org.pytorch.serve.ModelServer",
            *("--python", sys.executable),
            *("-f", str(config), "-s", str(store), "-ncs"),
        )
        logs = str(launch.work_dir / "logs")
        env = {"OMP_NUM_THREADS": "1", "TMPDIR": str(scratch), "LOG_LOCATION": logs, "METRICS_LOCATION": logs}
        return Command(argv, env)

    async def is_ready(self, launch: Launch) -> bool:
        """Whether a worker has loaded the model, as the management API tells."""
        url = f"http://127.0.0.1:{launch.management_port}/models/{launch.model}"
        limit = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        try:
            async with aiohttp.request("GET", url, timeout=limit) as answer:
                if answer.status != 200:
                    return False
                versions = await answer.json()
        except (aiohttp.ClientError, OSError, ValueError):
            return False
        return any(worker["status"] == "READY" for one in versions for worker in one.get("workers", ()))

    def predict_path(self, model: str) -> str:
        """HTTP path (POST) of predictions."""
        return f"/predictions/{model}"


def _package_home() -> Path:
    """The directory that holds TorchServe's package `ts`."""
    spec = find_spec("ts")
    if spec is None or spec.origin is None:
        raise StartError(MISSING)
    return Path(spec.origin).parent.parent


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on PATH"
        raise StartError(
            f"torchserve: no java {where}; install a JDK: apt-get install openjdk-17-jre-headless"
        )
    return java


def _unpack(archive: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            file.extractall(into)
    except (OSError, zipfile.BadZipFile) as error:
        raise StartError(
            f"torchserve: archive {archive}: {error}; `barista models build` makes archives"
        ) from error


def _check_socket_path(scratch: Path) -> None:
    longest = len(str(scratch / ".ts.sock.9999"))
    if longest > _SOCKET_PATH_LIMIT:
        raise StartError(
            f"torchserve: {scratch}: {longest} characters with the worker's socket, more than the"
            f" {_SOCKET_PATH_LIMIT} that a socket's path may have: set TMPDIR to a shorter directory"
        )

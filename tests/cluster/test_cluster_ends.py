"""A cluster ends with the session that started it, however that ends."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.cluster.addresses import claim
from tests.cluster.cluster import attached, check_machine
from tests.cluster.images import ROOT, STUB
from tests.cluster.rest import until

SESSION = """
import signal
from tests.cluster.cluster import kubernetes_running
with kubernetes_running() as cluster:
    print(cluster.kubeconfig, flush=True)
    signal.pause()
"""


def test_a_killed_session_leaves_no_process_and_its_bridge_to_the_next() -> None:
    check_machine()
    session = subprocess.Popen([sys.executable, "-c", SESSION], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    kubeconfig = Path(session.stdout.readline().strip())
    cluster, directory = attached(kubeconfig), kubeconfig.parents[1]
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    until(lambda: cluster.rest.find(account), "the default service account")
    spec = {"containers": [{"name": "c", "image": STUB}]}
    cluster.rest.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "left"}, "spec": spec})
    until(lambda: cluster.pods("default")[0]["status"]["phase"] == "Running", "a running pod")
    assert _mentioning(directory)

    session.send_signal(signal.SIGKILL)
    session.wait()

    until(lambda: not _mentioning(directory), "the end of every process", 20)
    freed = claim()
    assert directory.name == f"knb-{freed.slot}"
    freed.make_directory().rmdir()
    freed.release()
    assert not Path("/sys/class/net", freed.bridge).exists()


def _mentioning(directory: Path) -> list[int]:
    """Processes whose command line names the directory: the cluster's components, its pods' containers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found

"""``python -m tests.cluster.run`` (`make cluster`): a cluster to work with by hand, until Ctrl-C."""

import signal
import sys
import time

from tests.cluster.build import program
from tests.cluster.cluster import Lacking, running


def main() -> None:
    """Start it, say how to use it, wait."""
    began = time.monotonic()
    # So that `with` closes the cluster on TERM as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with running() as cluster:
            print(f"# ready after {time.monotonic() - began:.0f} s; ends with this process (Ctrl-C)")
            print(f"export KUBECONFIG={cluster.kubeconfig}")
            print(f"export PATH={program('kn', 'kn').parent}:$PATH")
            print(f"# ingress: curl -H 'Host: NAME.NAMESPACE.example.com' {cluster.ingress_url}")
            print(f"# prometheus: {cluster.prometheus_url}", flush=True)
            signal.pause()
    except Lacking as lacking:
        sys.exit(f"cluster: {lacking}")
    except KeyboardInterrupt:
        print("# stopped", flush=True)


if __name__ == "__main__":
    main()

"""``python -m tests.cluster.network KUBECONFIG BRIDGE ADDRESS DOMAIN``: ClusterIPs, names and ingress."""

import asyncio
import sys
from pathlib import Path

from tests.cluster.client import Api
from tests.cluster.network.cluster_ips import ClusterIPs
from tests.cluster.network.directory import Directory
from tests.cluster.network.ingress import NAME, Ingress, Proxy
from tests.cluster.network.names import Names

INGRESS_PORT, NAMES_PORT = 80, 53


async def main(kubeconfig: Path, bridge: str, address: str, domain: str) -> None:
    """Run all three for ever."""
    directory = Directory()
    async with Api(kubeconfig) as api:
        ingress = Ingress(api, directory)
        names = Names(directory, domain, {NAME: address})
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: names, (address, NAMES_PORT))
        async with asyncio.TaskGroup() as all_three:
            all_three.create_task(ClusterIPs(directory, bridge).run())
            all_three.create_task(directory.follow(api))
            all_three.create_task(ingress.follow())
            all_three.create_task(Proxy(ingress).serve(address, INGRESS_PORT))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))

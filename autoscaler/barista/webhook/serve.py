"""The webhook as a process: watches, certificates and the HTTPS server, begun and ended together."""

import uvicorn

from barista.platforms.knative.client import ApiServer
from barista.webhook.admission_api import admission_app
from barista.webhook.memory import Memory
from barista.webhook.rotation import Keeper, Place, Served

DRAIN_S = 5


def serve(server: ApiServer, memory: Memory, place: Place, bind: str, port: int) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); questions under way are answered first.

    The port opens once there are certificates, which the API server keeps.
    """
    served = Served()
    keeper = Keeper(server, place, served.install)
    memory.start()
    keeper.start()
    try:
        served.ready.wait()
        uvicorn.run(
            admission_app(memory),
            host=bind,
            port=port,
            ssl_context_factory=lambda _config, _default: served.context,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
        )
    finally:
        keeper.stop()
        memory.stop()

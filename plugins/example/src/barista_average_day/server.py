"""The same forecaster behind HTTP, for whoever would rather run a service than install a package.

The protocol is one POST without any state, so this could be written in any language; its JSON schema is
in Barista's docs/forecaster-webhook.schema.json.

    python -m barista_average_day.server --port 8090
"""

import argparse
from typing import Any

import numpy as np
from aiohttp import web
from barista.ports.forecaster import ForecastContext
from barista.values.series import Calendar, Demand

from barista_average_day.forecaster import AverageDay


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """The reply to a question, both as in the schema. ValueError when there is too little to go by."""
    demand = Demand(
        question["demand"]["start_s"],
        question["demand"]["step_s"],
        np.array(question["demand"]["values"], dtype=float),  # null becomes NaN
    )
    calendar = Calendar(rate=question["calendar"]["rate"], seasons_s=tuple(question["calendar"]["seasons_s"]))
    forecaster = AverageDay()
    state = forecaster.fit(demand, ForecastContext(calendar, question["steps"]))
    made = forecaster.forecast(state, question["steps"], tuple(question["levels"]))
    return {"mean": made.mean, "quantiles": made.quantiles}


async def forecast(request: web.Request) -> web.Response:
    """POST /v1/forecast."""
    try:
        return web.json_response(answer(await request.json()))
    except (KeyError, TypeError, ValueError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=422)


def app() -> web.Application:
    """The server; the longest history anyone sends fits."""
    served = web.Application(client_max_size=16 * 2**20)
    served.router.add_post("/v1/forecast", forecast)
    return served


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8090)
    chosen = options.parse_args()
    web.run_app(app(), host=chosen.host, port=chosen.port)


if __name__ == "__main__":
    main()

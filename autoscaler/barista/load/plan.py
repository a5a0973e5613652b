"""The plan of a load: which requests are sent when, written by whoever starts the client."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Stream(BaseModel):
    """The requests of one service: the same body to `url` at each of the times in `arrivals`.

    `arrivals` names a .npy file of ascending times in seconds after the start of the load, shape (n,).
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    body: Path
    arrivals: Path
    content_type: str = "application/octet-stream"


class LoadPlan(BaseModel):
    """What the client sends from `start_s` (seconds since the epoch) for `duration_s`.

    `services` by ``namespace/name``. A request without an answer after `timeout_s` has failed. Paths
    are relative to the directory of the plan, as is `requests`, where the client records them.
    """

    model_config = ConfigDict(extra="forbid")

    start_s: float
    duration_s: float = Field(gt=0)
    services: dict[str, Stream]
    timeout_s: float = Field(30.0, gt=0)
    requests: Path = Path("requests.csv")

    @staticmethod
    def read(path: Path) -> "LoadPlan":
        """The plan stored at `path`, its paths resolved."""
        plan = LoadPlan.model_validate_json(path.read_bytes())
        home = path.parent
        streams = {
            service: stream.model_copy(
                update={"body": home / stream.body, "arrivals": home / stream.arrivals}
            )
            for service, stream in plan.services.items()
        }
        return plan.model_copy(update={"services": streams, "requests": home / plan.requests})

    def write(self, path: Path) -> None:
        """Store the plan at `path`."""
        path.write_text(self.model_dump_json(indent=1))

"""Webhook: where a forecaster that runs elsewhere is asked. Only the operator names one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Webhook:
    """The forecaster `name`, asked at `url` (HTTP or HTTPS).

    An answer takes `timeout_s` at most. `ca_file` holds the certificates that are trusted instead of
    the system's. The latest `history_steps` of a service's demand are sent with every question.
    """

    name: str
    url: str
    timeout_s: float = 2.0
    ca_file: str | None = None
    history_steps: int = 10_000

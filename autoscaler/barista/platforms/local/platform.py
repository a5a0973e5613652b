"""The local platform as a controller sees it: the agent's HTTP API, asked from another process."""

from collections.abc import Mapping, Sequence

import requests

from barista.platforms.local.api import OUTCOMES, STATE, TARGETS
from barista.platforms.local.service import Target
from barista.ports.platform import PlatformUnavailable
from barista.values.decision import Applied, Decision
from barista.values.replica import Replica
from barista.values.service import DispatchRule, ServiceId

ANSWER_WITHIN_S = 5.0


class LocalPlatform:
    """The replicas of this machine (Platform), through the agent at `agent_url`."""

    def __init__(self, agent_url: str) -> None:
        self._agent_url = agent_url
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy is not asked for what runs on loopback

    def state(self) -> Mapping[ServiceId, tuple[Replica, ...]]:
        """Replicas by service. PlatformUnavailable when the agent does not answer."""
        return STATE.validate_json(self._ask("GET", "/state"))

    def apply(self, decisions: Sequence[Decision]) -> tuple[Applied, ...]:
        """Hand those that change something to the agent, which keeps to what it was told last.

        One that is away or refuses them fails them all, in words.
        """
        targets = tuple(Target(d.service, d.authority, d.final) for d in decisions if d.changes)
        if not targets:
            return ()
        try:
            return OUTCOMES.validate_json(self._ask("POST", "/apply", TARGETS.dump_json(targets)))
        except PlatformUnavailable as error:
            return tuple(Applied(target.service, ok=False, text=str(error)) for target in targets)

    def dispatch_rule(self, service: ServiceId) -> DispatchRule:  # noqa: ARG002 - the same for all
        """The router hands each request to the replica that holds the fewest."""
        return DispatchRule.LEAST_LOADED

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        url = self._agent_url + path
        try:
            answer = self._session.request(method, url, data=body, timeout=ANSWER_WITHIN_S)
            answer.raise_for_status()
        except requests.HTTPError as error:
            raise PlatformUnavailable(f"agent at {url}: {error.response.text.strip()}") from error
        except requests.RequestException as error:
            raise PlatformUnavailable(f"agent at {url}: no answer: {error}") from error
        return answer.content

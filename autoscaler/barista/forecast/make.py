"""Makes forecasters by name: those that are installed, and those that the operator configured."""

from dataclasses import dataclass
from functools import partial

from barista.forecast.remote import RemoteForecaster
from barista.plugins import FORECASTERS, load_plugin
from barista.ports.forecaster import Forecaster
from barista.values.service import PluginChoice
from barista.values.webhook import Webhook


@dataclass(frozen=True, slots=True)
class MakeForecaster:
    """Turns a choice into a forecaster; a value, so that workers can be handed it and keep what it made.

    A choice can only name what is installed or one of `webhooks`: it never carries a URL of its own, or
    whoever sets a service's annotations could steer the controller's requests.
    """

    webhooks: tuple[Webhook, ...] = ()

    def __call__(self, choice: PluginChoice) -> Forecaster:
        """The forecaster of `choice`. PluginError when there is none."""
        configured = {hook.name: partial(RemoteForecaster, hook) for hook in self.webhooks}
        made: Forecaster = load_plugin(FORECASTERS, choice.name, choice.options, configured)
        return made

"""Forecasters over HTTP: they keep the contract like any other, and every bad answer is one clear line."""

import asyncio
import json
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from barista.forecast import remote
from barista.forecast.host import ForecasterHost
from barista.forecast.make import MakeForecaster
from barista.forecast.remote import RemoteForecaster, WebhookFailed
from barista.forecast.wire import ForecastQuestion, schema
from barista.plugins import PluginError
from barista.ports.forecaster import ForecastContext, Forecaster
from barista.testing.forecasters import CHECKS, CONTEXT, STEP_S, check_scale, daily_demand
from barista.testing.hosting import check_under_host
from barista.values.events import read_events
from barista.values.series import Calendar, Demand
from barista.values.service import PluginChoice, Service, ServiceId, Slo
from barista.values.webhook import Webhook
from barista.workers import Inline

ROOT = Path(__file__).parents[2]
NAME = "team-a"


@contextmanager
def serving(app, tls=None):
    """`app` in a thread, on a free port of this machine; its URL."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, shutdown_timeout=0)

    async def start():
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        return runner.addresses[0][1]

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1/forecast"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def example():
    """The example plug-in's server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "plugins" / "example" / "src"))
        from barista_average_day.server import app

        with serving(app()) as url:
            yield url


class Answers:
    """A server that answers what it is told to, after `delay_s`, and remembers what it was asked."""

    def __init__(self):
        self.status, self.text, self.delay_s, self.asked = 200, "", 0.0, []
        self.app = web.Application()
        self.app.router.add_post("/v1/forecast", self.answer)

    async def answer(self, request):
        self.asked.append(await request.json())
        await asyncio.sleep(self.delay_s)
        return web.Response(status=self.status, text=self.text, headers={"Location": "/elsewhere"})

    def says(self, value):
        self.text = json.dumps({"mean": [value] * CONTEXT.steps, "quantiles": [[value] * CONTEXT.steps] * 3})


@pytest.fixture
def answers():
    said = Answers()
    with serving(said.app) as said.url:
        yield said


def asked(url, demand=None, **settings):
    forecaster = RemoteForecaster(Webhook(NAME, url, **settings))
    state = forecaster.fit(daily_demand() if demand is None else demand, CONTEXT)
    return forecaster.forecast(state, CONTEXT.steps, CONTEXT.levels)


@pytest.mark.parametrize("check", [*CHECKS, check_scale], ids=lambda check: check.__name__)
def test_a_remote_forecaster_keeps_the_contract(example, check):
    forecaster = RemoteForecaster(Webhook(NAME, example))
    assert isinstance(forecaster, Forecaster)
    check(forecaster)


def test_configured_it_is_chosen_by_name_and_runs_under_the_host_in_worker_processes(example):
    check_under_host(NAME, make=MakeForecaster((Webhook(NAME, example),)))


def test_only_what_the_operator_configured_can_be_chosen():
    make = MakeForecaster((Webhook(NAME, "http://127.0.0.1:9/"),))
    assert isinstance(make(PluginChoice(NAME)), RemoteForecaster)
    assert make(PluginChoice("last-value")).name == "last-value"
    with pytest.raises(
        PluginError, match=r"'team-b': no such plug-in installed or configured; known: .*team-a"
    ):
        make(PluginChoice("team-b"))
    with pytest.raises(PluginError, match="options"):
        make(PluginChoice(NAME, {"url": "http://elsewhere.example/"}))


def test_a_question_says_all_there_is_to_know(answers):
    answers.says(2.0)
    lines = ["start,end,name,effect", "2024-05-01,2024-05-02,fair,", "2024-06-01,2024-06-02,sale,2"]
    calendar = Calendar("Europe/Berlin", country="DE", events=read_events(lines, "events.csv"))
    context = ForecastContext(calendar, steps=2, levels=(0.5, 0.9), seed=7)
    forecaster = RemoteForecaster(Webhook(NAME, answers.url, history_steps=4))
    state = forecaster.fit(Demand(0.0, 10.0, np.array([1, 2, 3.0])), context)
    state = forecaster.update(state, Demand(30.0, 10.0, np.array([np.nan, 5.0])))
    with pytest.raises(WebhookFailed, match="2 levels but 3 quantile rows"):
        forecaster.forecast(state, 2, context.levels)
    (question,) = answers.asked
    assert question == {
        "demand": {"start_s": 10.0, "step_s": 10.0, "values": [2.0, 3.0, None, 5.0]},
        "calendar": {
            "time_zone": "Europe/Berlin",
            "country": "DE",
            "seasons_s": [86400.0, 604800.0],
            "events": [{"start": "2024-05-01T00:00:00", "end": "2024-05-02T00:00:00", "name": "fair"}],
            "rate": 1.0,
            "clock_s": 0.0,
            "calendar_s": 0.0,
        },
        "steps": 2,
        "levels": [0.5, 0.9],
        "seed": 7,
    }
    assert ForecastQuestion.model_validate(question).steps == 2


SIX = [1.0] * CONTEXT.steps


@pytest.mark.parametrize(
    ("status", "reply", "fault"),
    [
        (500, "out of   memory\n", "status 500: out of memory"),
        (302, "", "status 302: "),
        (200, "<html>", "its reply: Invalid JSON"),
        (200, "[]", "its reply: Input should be an object"),
        (200, {"mean": SIX}, "its reply: quantiles: Field required"),
        (200, {"mean": "soon", "quantiles": []}, "its reply: mean: Input should be a valid array"),
        (200, '{"mean": [NaN], "quantiles": [[NaN]]}', "its reply: mean.0: Input should be a finite number"),
        (
            200,
            {"mean": [-1.0], "quantiles": [[1.0]]},
            "its reply: mean.0: Input should be greater than or equal",
        ),
        (200, {"mean": SIX, "quantiles": [SIX] * 2}, "its forecast: 3 levels but 2 quantile rows"),
        (200, {"mean": SIX, "quantiles": [SIX, SIX, SIX[1:]]}, "its forecast: 0.95: 5 steps instead of 6"),
        (200, {"mean": [1.0], "quantiles": [[1.0]] * 3}, "its forecast: 1 steps instead of 6"),
        (200, {"mean": SIX, "quantiles": [[2.0] * 6, SIX, SIX]}, "its forecast: quantiles cross"),
        (200, "9" * (remote.MOST_BYTES + 1), f"its reply is longer than {remote.MOST_BYTES} bytes"),
    ],
)
def test_a_bad_answer_is_one_line_that_says_who_where_and_what(answers, status, reply, fault):
    answers.status, answers.text = status, reply if isinstance(reply, str) else json.dumps(reply)
    with pytest.raises(WebhookFailed) as caught:
        asked(answers.url)
    assert str(caught.value).startswith(f"forecaster 'team-a': POST {answers.url}: {fault}")
    assert "\n" not in str(caught.value)


def test_nobody_there_is_one_line_too():
    with pytest.raises(WebhookFailed, match="ClientConnectorError"):
        asked("http://127.0.0.1:9/v1/forecast")


def test_one_that_is_silent_is_not_waited_for_nor_asked_again_for_a_while(answers, monkeypatch):
    answers.says(3.0)
    answers.delay_s = 30.0
    forecaster = RemoteForecaster(Webhook(NAME, answers.url, timeout_s=0.1))
    state = forecaster.fit(daily_demand(), CONTEXT)
    with pytest.raises(WebhookFailed, match=r"no answer within 0\.1 s"):
        forecaster.forecast(state, CONTEXT.steps, CONTEXT.levels)
    answers.delay_s = 0.0
    with pytest.raises(WebhookFailed, match="not asked for another 60 s"):
        forecaster.forecast(state, CONTEXT.steps, CONTEXT.levels)
    assert len(answers.asked) == 1
    later_s = time.monotonic() + remote.REST_S
    monkeypatch.setattr(remote.time, "monotonic", lambda: later_s)
    forecaster.webhook = Webhook(NAME, answers.url, timeout_s=30.0)
    assert forecaster.forecast(state, CONTEXT.steps, CONTEXT.levels).mean == (3.0,) * CONTEXT.steps


def test_one_that_trickles_is_cut_off_too():
    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    app = web.Application()
    app.router.add_post("/v1/forecast", trickle)
    with serving(app) as url, pytest.raises(WebhookFailed, match=r"no answer within 0\.2 s"):
        asked(url, timeout_s=0.2)


def test_whatever_it_answers_its_service_falls_back_and_recovers(answers):
    host = ForecasterHost(MakeForecaster((Webhook(NAME, answers.url),)), CONTEXT, STEP_S, Inline())
    service = Service(ServiceId("ns/a"), "m", Slo(0.2), ("f",), forecaster=PluginChoice(NAME))
    demand = daily_demand()
    answers.says(4.0)
    hours = iter(range(-3, 1))

    def made_by():
        """Who speaks, an hour later each time."""
        now_s = demand.end_s + next(hours) * STEP_S
        host.observe(service.id, demand.until(now_s).last(1))
        return host.foresee([service], now_s)[service.id].made_by

    known = demand.until(demand.end_s - 4 * STEP_S)
    host.learn(service, known, known.end_s)
    host.collect(known.end_s)
    assert made_by() == NAME
    answers.status = 503
    assert made_by() == "seasonal-naive"
    assert "status 503" in host.health()[service.id]
    answers.status = 200
    assert made_by() == NAME
    assert host.health() == {}


def test_over_tls_it_trusts_what_the_operator_says_and_nothing_else(answers, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ("-subj", "/CN=forecaster", "-addext", "subjectAltName=IP:127.0.0.1")
    made = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
    )
    subprocess.run(["openssl", "req", "-x509", *made, *subject], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    secured = Answers()
    secured.says(5.0)
    with serving(secured.app, tls) as url:
        assert asked(url, ca_file=str(certificate)).mean == (5.0,) * CONTEXT.steps
        with pytest.raises(WebhookFailed, match="CertificateError"):
            asked(url)


def test_the_published_schema_is_that_of_the_code():
    published = json.loads((ROOT / "docs" / "forecaster-webhook.schema.json").read_text())
    assert published == schema(), "python -m barista.forecast.wire > docs/forecaster-webhook.schema.json"

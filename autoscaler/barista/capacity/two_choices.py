"""Waiting times where each request goes to the less busy of two replicas, drawn at random.

Among very many replicas each one sees its own stream, faster when it is short: with k in flight it gets
utilisation * (s_k + s_k+1) of the mean rate, s_k being the share of replicas with at least k
(Vvedenskaya, Dobrushin, Karpelevich 1996; general service: Bramson, Lu, Prabhakar 2012). Exponential service
gives a fixed point, service of fixed length is followed through time until it settles. What few replicas add
is that all of them fill up together, which a central queue knows: `barista.capacity.waiting` joins the two.
"""

import numpy as np

from barista.values.series import FloatArray

PHASES, DEEPEST, STEPS = 24, 8, 2500
"""Phases of a fixed service time, the most requests that a replica then holds, steps until it settles."""
LONGEST_QUEUE, ROUNDS = 12, 1000
"""The most requests that wait at a replica when service is exponential; rounds to its fixed point."""


def exponential_tail(workers: int, utilisation: float, times: FloatArray) -> FloatArray:
    """P(W > t) for `times` t in mean service times, with exponential service by `workers` a replica."""
    shares = _exponential_shares(workers, utilisation)
    found = shares**2 - np.append(shares[1:] ** 2, 0.0)
    tail, erlang, term = np.zeros_like(times), np.zeros_like(times), np.exp(-workers * times)
    # Who finds k at work waits for k - workers + 1 of them to end.
    for ahead, chance in enumerate(found[workers:]):
        erlang = erlang + term
        tail = tail + chance * erlang
        term = term * workers * times / (ahead + 1)
    return tail


def fixed_tails(utilisations: FloatArray, times: FloatArray) -> FloatArray:
    """P(W > t) for `times` t in service times, shape (utilisations, times); one worker a replica."""
    rho = utilisations[:, None]
    shares = rho ** (2.0 ** np.arange(1, DEEPEST + 2) - 1)
    held = np.repeat((shares[:, :-1] - shares[:, 1:])[:, :, None] / PHASES, PHASES, axis=2)
    for _ in range(STEPS):
        shares = _at_least(held)
        moved = rho * (shares[:, :-1] + shares[:, 1:]) / PHASES
        moved[:, -1] = 0.0
        begun = (1 - shares[:, 1]) * moved[:, 0]
        more = held * moved[:, 1:, None]
        held = held - more
        held[:, 1:] += more[:, :-1]
        ended = held[:, :, 0]
        after = np.zeros_like(held)
        after[:, :, :-1] = held[:, :, 1:]
        after[:, :-1, -1] += ended[:, 1:]
        # Who came within the step came in the middle of it, on average.
        after[:, 0, -1] += begun / 2
        after[:, 0, -2] += begun / 2
        held = after * (utilisations / after.sum(axis=(1, 2)))[:, None, None]
    shares = _at_least(held)
    joined = held * (shares[:, 1:-1] + shares[:, 2:])[:, :, None]
    waits = np.arange(DEEPEST)[:, None] + (np.arange(PHASES) + 0.5) / PHASES
    # Each phase is spread evenly over its length.
    late = np.clip((waits.ravel() + 0.5 / PHASES - times[:, None]) * PHASES, 0.0, 1.0)
    tails: FloatArray = joined.reshape(len(utilisations), -1) @ late.T
    return tails


def _at_least(held: FloatArray) -> FloatArray:
    """Shares of replicas with at least 0, 1, … requests, from those with 1, 2, … by phase."""
    by_count = held.sum(axis=2)
    tail = by_count[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.pad(tail, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))


def _exponential_shares(workers: int, utilisation: float) -> FloatArray:
    served = np.minimum(np.arange(1, workers + LONGEST_QUEUE + 1), workers)
    shares: FloatArray = np.power(utilisation, np.arange(len(served) + 1.0))
    for _ in range(ROUNDS):
        for k in range(workers, len(served)):
            # Past the last worker what comes in at a length leaves from the next one.
            shares[k + 1] = utilisation * shares[k] ** 2
        odds = utilisation * workers * (shares[:-1] + shares[1:]) / served
        chances = np.concatenate([[1.0], np.cumprod(odds)])
        settled = np.cumsum(chances[::-1])[::-1] / chances.sum()
        if np.max(np.abs(settled - shares)) < 1e-9:
            break
        shares = (shares + settled) / 2
    return shares

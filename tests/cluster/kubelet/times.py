"""The time as Kubernetes writes it."""

import datetime


def now() -> str:
    """Now, to the second, as metav1.Time."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_now() -> str:
    """Now, to the microsecond, as metav1.MicroTime (leases)."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""Kubernetes quantities: ``500m`` cpu and ``4Gi`` of memory, to and from the numbers that we plan with."""

import re
from decimal import Decimal

QUANTITY_PATTERN = r"^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
GIB = 2**30

_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}


def amount(text: str) -> float:
    """The number that a quantity stands for: ``500m`` is 0.5; ValueError when it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(\D*)", text)
    if match is None or match[2] not in _FACTORS:
        raise ValueError(f"{text!r}: need a quantity like 500m or 4Gi")
    return float(Decimal(match[1]) * _FACTORS[match[2]])


def gib(text: str) -> float:
    """Memory in GiB: ``512Mi`` is 0.5."""
    return amount(text) / GIB


def cpu_text(cpu: float) -> str:
    """`cpu` cores as Kubernetes writes them: 0.5 is ``500m``, 2.0 is ``2``."""
    milli = round(cpu * 1000)
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def memory_text(memory_gib: float) -> str:
    """`memory_gib` as Kubernetes writes it, to the MiB: 0.5 is ``512Mi``, 4.0 is ``4Gi``."""
    mib = round(memory_gib * 1024)
    return f"{mib}Mi" if mib % 1024 else f"{mib // 1024}Gi"

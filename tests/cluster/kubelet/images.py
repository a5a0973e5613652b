"""An image is a name for a command of this machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class NoSuchImage(Exception):
    """No command is known for an image's name."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image holds: entry point, default arguments, environment, working directory."""

    entrypoint: list[str]
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    directory: str = "/"


def write(path: Path, images: Mapping[str, Image]) -> None:
    """Write the table of images for `find`, whole or not at all."""
    text = json.dumps({name: {key: getattr(image, key) for key in _FIELDS} for name, image in images.items()})
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)


def read(path: Path) -> dict[str, Image]:
    """The table that `write` wrote."""
    return {name: Image(**fields) for name, fields in json.loads(path.read_text()).items()}


def find(path: Path, reference: str) -> Image:
    """The image that `reference` (with or without tag or digest) names. NoSuchImage otherwise."""
    table = read(path)
    name = reference.split("@", maxsplit=1)[0]
    head, _, last = name.rpartition("/")
    name = f"{head}/{last.split(':')[0]}" if head else last.split(":")[0]
    if name not in table:
        raise NoSuchImage(f"image {reference!r}: no command stands for it; known: {', '.join(sorted(table))}")
    return table[name]


def command(image: Image, container: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """What runs: `command` and `args` of the container over the image's own, $(NAME) filled in."""
    if container.get("command"):
        argv = [*container["command"], *(container.get("args") or [])]
    else:
        argv = [*image.entrypoint, *(container.get("args") or image.args)]
    return [expand(word, env) for word in argv]


def expand(text: str, env: Mapping[str, str]) -> str:
    """$(NAME) replaced by the variable's value where there is one."""
    for name, value in env.items():
        text = text.replace(f"$({name})", value)
    return text


_FIELDS = ("entrypoint", "args", "env", "directory")

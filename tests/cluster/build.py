"""The real programs of the cluster, built from their Go modules.

One go.mod per family under `go/`, since one module cannot hold two versions of Kubernetes' libraries.
Binaries go to the user's cache, keyed by what was asked for (go.mod, go.sum, Go's version): a second
session finds them there, a changed version builds anew. Cold, all of it takes several minutes. Nothing is
written into the checkout.
"""

import fcntl
import functools
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GO = Path(__file__).parent / "go"


class BuildError(Exception):
    """A program of the cluster could not be built; the message tells which and what Go said."""


@dataclass(frozen=True, slots=True)
class Family:
    """Programs that come from one Go module: binary name -> package, and the linker's settings."""

    name: str
    module: str
    programs: dict[str, str]
    version_symbols: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where the family's go.mod lies."""
        return GO / self.name


FAMILIES = {
    family.name: family
    for family in (
        Family("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
        Family(
            "kubernetes",
            "k8s.io/kubernetes",
            {
                name: f"k8s.io/kubernetes/cmd/{name}"
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
            },
            # Unset, the API server calls itself v0.0.0, and Knative refuses to run on it.
            version_symbols=("k8s.io/component-base/version.gitVersion",),
        ),
        Family(
            "serving",
            "knative.dev/serving",
            {
                name: f"knative.dev/serving/cmd/{name}"
                for name in ("controller", "webhook", "autoscaler", "activator", "queue")
            },
        ),
        Family("kn", "knative.dev/client", {"kn": "knative.dev/client/cmd/kn"}),
        Family("stub", "knative-barista.dev/cluster/stub", {"stub": "."}),
    )
}


CONTROL_PLANE = ("etcd", "kubernetes")


def program(family_name: str, name: str) -> Path:
    """Path of one program, built first where the cache does not have it. BuildError when Go fails."""
    family = FAMILIES[family_name]
    directory = _cache() / f"{family.name}-{_key(family.name)}"
    directory.mkdir(parents=True, exist_ok=True)
    binary = directory / name
    if binary.exists():
        return binary
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(family, name, binary)
    return binary


def everything() -> list[Path]:
    """Every program, built where the cache does not have it. BuildError when Go fails."""
    others = [
        program(family.name, name)
        for family in FAMILIES.values()
        if family.name not in CONTROL_PLANE
        for name in family.programs
    ]
    return [*control_plane_programs().values(), *others]


def control_plane_programs() -> dict[str, Path]:
    """etcd and Kubernetes' programs; those in KUBEBUILDER_ASSETS, where that is set, need no build."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = {}
    for family in CONTROL_PLANE:
        for name in FAMILIES[family].programs:
            given = Path(assets or "/nonexistent", name)
            found[name] = given if given.exists() else program(family, name)
    return found


@functools.cache
def module_directory(family_name: str, module: str) -> Path:
    """Where Go keeps the files of `module` (CRDs, configuration), in the version the family asks for."""
    directory = FAMILIES[family_name].directory
    _go(directory, "mod", "download", module)
    return Path(_go(directory, "list", "-m", "-f", "{{.Dir}}", module))


@functools.cache
def module_version(family_name: str) -> str:
    """The version of the family's module, as go.mod states it."""
    family = FAMILIES[family_name]
    return _go(family.directory, "list", "-m", "-f", "{{.Version}}", family.module)


def _build(family: Family, name: str, binary: Path) -> None:
    print(f"cluster: building {name} (only once)", file=sys.stderr, flush=True)
    symbols = [f"-X {symbol}={module_version(family.name)}" for symbol in family.version_symbols]
    partial = binary.with_name(f".{name}.partial")
    link = " ".join(["-s -w", *symbols])
    _go(family.directory, "build", "-ldflags", link, "-o", str(partial), family.programs[name])
    partial.rename(binary)


def _go(directory: Path, *args: str) -> str:
    try:
        done = subprocess.run(["go", *args], cwd=directory, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BuildError("go: not on PATH; the test cluster is built from source: install Go 1.26") from error
    except subprocess.CalledProcessError as error:
        tail = error.stderr.strip()[-2000:]
        raise BuildError(f"go {' '.join(args)}\nin {directory}:\n{tail}") from error
    return done.stdout.strip()


@functools.cache
def _key(family_name: str) -> str:
    directory = FAMILIES[family_name].directory
    digest = hashlib.sha256(_go(directory, "env", "GOVERSION").encode())
    for file in sorted(path for path in directory.iterdir() if path.suffix in {".mod", ".sum", ".go"}):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "knative-barista" / "cluster"


if __name__ == "__main__":
    print(*everything(), sep="\n")

"""Stand-ins, from Debian packages, for images that cannot be pulled where there is no registry; cached by recipe."""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.environments import ROOT, refuse, run, say
from tests.offline import debian

RECIPES = ROOT / "tests" / "offline" / "standins"
ENVIRONMENT = ROOT / "tests" / "offline" / "offline.env"
CACHE = ROOT / ".tools" / "standins"
SUITE, BASE = "bookworm", "standin/debian:12"
LABEL = "trackback.recipe"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Programs that fetch with certificates of their own, unless these name others.
TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
OBJECT_STORE, VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
GO = (1, 21)


def main() -> None:
    argparse.ArgumentParser(prog="tests/offline/images", description=__doc__).parse_args()
    started = time.monotonic()
    wanted = images()
    say(f"{len(wanted)} stand-ins are wanted: {', '.join(sorted(wanted.values()))}")
    # The compiler needs no engine, so it works while the base is made.
    with ThreadPoolExecutor(2) as pool:
        compiled = pool.submit(object_store)
        base()
        compiled.result()
        built = sum(pool.map(lambda recipe: build(recipe, wanted[recipe]), sorted(wanted)))
    say(f"{len(wanted)} stand-ins are there, {built} of them new, after {time.monotonic() - started:.1f} s")


def images() -> dict[str, str]:
    """The image that each recipe is to make, from tests/offline/offline.env."""
    variables = dict(re.findall(r"^(\w+)_IMAGE=(standin/.+)$", ENVIRONMENT.read_text(), re.MULTILINE))
    named = {name.lower().replace("_", "-"): image for name, image in variables.items()}
    return {recipe.name: named[recipe.name] for recipe in RECIPES.iterdir() if recipe.name in named}


def base() -> None:
    """A minimal Debian with this machine's certificates, so that builds can fetch what this machine can."""
    recipe = digest(Path(__file__).read_bytes(), CERTIFICATES.read_bytes(), debian.mirror().encode())
    if has(BASE, recipe):
        return
    debian.require(("debootstrap", "debootstrap"))
    say(f"making {BASE}, a minimal Debian from {debian.mirror()} (once, one to three minutes)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, root, debian.mirror()], quiet=True)
        slim(root)
        trust = " ".join(f"{name}={CERTIFICATES}" for name in TRUST)
        changes = [f"ENV DEBIAN_FRONTEND=noninteractive {trust}", 'CMD ["bash"]', f"LABEL {LABEL}={recipe}"]
        options = [word for change in changes for word in ("--change", change)]
        archive = subprocess.Popen(
            ["tar", "--directory", root, "--numeric-owner", "--one-file-system", "--create", "."],
            stdout=subprocess.PIPE,
        )
        run_from(archive, ["docker", "import", *options, "-", BASE])


def slim(root: Path) -> None:
    shutil.copy(CERTIFICATES, root / "etc/ssl/certs/ca-certificates.crt")
    # Java has a store of its own, which Debian fills from single files.
    for number, certificate in enumerate(CERTIFICATE.findall(CERTIFICATES.read_text())):
        (root / f"usr/local/share/ca-certificates/{number}.crt").write_text(f"{certificate}\n")
    excluded = "".join(f"path-exclude=/usr/share/{part}/*\n" for part in ("doc", "man", "locale"))
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(excluded)
    (root / "etc/apt/apt.conf.d/slim").write_text(
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\nAcquire::Languages "none";\n'
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
    )
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / waste, ignore_errors=True)
    for needed in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
        (root / needed).mkdir(parents=True)


def run_from(source: "subprocess.Popen[bytes]", command: list[str]) -> None:
    done = subprocess.run(command, stdin=source.stdout, capture_output=True, text=True, check=False)
    if source.wait() != 0 or done.returncode != 0:
        refuse(f"expected '{' '.join(command[:2])} …' to succeed, found: {done.stderr.strip()}")


def object_store() -> None:
    binary = CACHE / f"versitygw-{VERSION}"
    if not binary.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        say(f"compiling the object store, {OBJECT_STORE}@{VERSION} (once, a minute or two)")
        variables = [f"GOBIN={CACHE}", "CGO_ENABLED=0", "GOTOOLCHAIN=auto", "GOFLAGS=-modcacherw"]
        run(
            ["env", *variables, go(), "install", "-trimpath", "-ldflags=-s -w", f"{OBJECT_STORE}@{VERSION}"], quiet=True
        )
        (CACHE / "versitygw").rename(binary)


def go() -> str:
    """This machine's Go, or that of a newer Debian; it fetches the version that a module asks for by itself."""
    if shutil.which("go"):
        done = subprocess.run(["go", "version"], capture_output=True, text=True, check=False)
        version = re.search(r"go(\d+)\.(\d+)", done.stdout)
        if version and (int(version[1]), int(version[2])) >= GO:
            return "go"
    unpacked = CACHE / "go"
    if not unpacked.exists():
        say("fetching a Go compiler, of Debian's next release (once)")
        debian.unpack("trixie", ["golang-1.24-go", "golang-1.24-src"], unpacked)
    # Debian parts sources and tools, and joins them again by links that are absolute.
    place = unpacked / "usr/lib/go-1.24"
    for part in ("src", "api", "test", "misc"):
        (place / part).unlink(missing_ok=True)
        (place / part).symlink_to(unpacked / "usr/share/go-1.24" / part)
    return str(place / "bin" / "go")


def build(name: str, image: str) -> bool:
    """True when it was built, False when the image is of this recipe already."""
    folder = RECIPES / name
    files = sorted(path for path in folder.iterdir() if path.is_file())
    recipe = digest(*(path.read_bytes() for path in files), VERSION.encode(), label(BASE).encode())
    if has(image, recipe):
        return False
    started = time.monotonic()
    say(f"building {image} from Debian packages")
    with tempfile.TemporaryDirectory() as context:
        shutil.copytree(folder, context, dirs_exist_ok=True)
        if name == "object-store":
            shutil.copy(CACHE / f"versitygw-{VERSION}", Path(context) / "versitygw")
        options = ["--build-arg", f"BASE={BASE}", "--label", f"{LABEL}={recipe}", "--tag", image]
        run(["env", "DOCKER_BUILDKIT=1", "docker", "build", "--quiet", *options, context], quiet=True)
    say(f"built {image} in {time.monotonic() - started:.0f} s")
    return True


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def has(image: str, recipe: str) -> bool:
    return label(image) == recipe


def label(image: str) -> str:
    form = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", form, image], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    try:
        if not shutil.which("docker"):
            refuse("expected a container engine, found no docker: tests/offline/engine installs one on Debian")
        os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
        main()
    except KeyboardInterrupt:
        refuse("stopped; start again to go on where this ended")
    sys.exit(0)

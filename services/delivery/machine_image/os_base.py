"""The operating system of a machine image: kernel, initramfs and a read-only file system that runs one container."""

import tarfile
from pathlib import Path, PurePosixPath

from services.delivery.machine_image.debian import BUILDING, Recipe, build_tree
from services.delivery.machine_image.squashfs import writing
from services.delivery.machine_image.tools import EPOCH

HERE = Path(__file__).parent
OVERLAY, RECIPE = HERE / "overlay", HERE / "recipe"
PACKAGES = (
    "busybox", "crun", "initramfs-tools", "kmod", "linux-image-cloud-amd64", "systemd-sysv", "udev", "zstd",
)  # fmt: skip
KERNEL, INITRAMFS, INSTALLED, DEBS = "vmlinuz", "initrd.img", "packages.tsv", "debs"
FILE_SYSTEM = "base.squashfs"
_LEFT_OUT = ("dev", "var/cache/apt", "var/lib/apt")
# Where files of the overlay go that configure the building of the initramfs.
_INITRAMFS = {"trackback.conf": "conf.d/trackback", "modules": "modules"}


def build_os_base(folder: Path) -> None:
    """Writes file system, kernel, initramfs and lists into `folder`. Raises Refused."""
    tree, files = folder / "tree.tar", folder / "files.tar"
    pack_files(files)
    script = f"sh /{BUILDING}/customize"
    build_tree(Recipe(PACKAGES, files, (script,), configured=True), tree)
    with tarfile.open(tree) as source, writing(folder / FILE_SYSTEM) as target:
        for entry in source:
            path = PurePosixPath(entry.name)
            if path.parts[:1] == (BUILDING,):
                _take_out(source, entry, folder)
            elif not is_left_out(path):
                entry.mtime = min(int(entry.mtime), EPOCH)
                target.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
    tree.unlink()
    files.unlink()


def _take_out(source: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(entry.name).name
    if name in (KERNEL, INITRAMFS, INSTALLED, DEBS) and (content := source.extractfile(entry)):
        (folder / name).write_bytes(content.read())


def is_left_out(path: PurePosixPath) -> bool:
    """systemd mounts a /dev of the kernel's, and nobody will ask apt for more."""
    return len(path.parts) > 1 and any(path.is_relative_to(folder) for folder in _LEFT_OUT)


def pack_files(target: Path) -> None:
    """The overlay and the script, as they lie in the tree while it is built."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for file, place in sorted(placed_files().items(), key=lambda pair: pair[1]):
            entry = tar.gettarinfo(file, place)
            entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime = 0, 0, "", "", EPOCH
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            with file.open("rb") as content:
                tar.addfile(entry, content)


def placed_files() -> dict[Path, str]:
    """Of every file of the overlay and the recipe, its place in the tree."""
    found: dict[Path, str] = {}
    for file in sorted(path for path in (*OVERLAY.rglob("*"), *RECIPE.rglob("*")) if path.is_file()):
        root = OVERLAY if file.is_relative_to(OVERLAY) else RECIPE
        first, *rest = file.relative_to(root).parts
        found[file] = _place(first, "/".join(rest))
    return found


def _place(first: str, rest: str) -> str:
    if first == "root":
        return rest
    if first == "initramfs":
        return f"etc/initramfs-tools/{_INITRAMFS.get(rest, f'scripts/{rest}')}"
    return f"{BUILDING}/{first}"

"""Files of whatever scheme Hadoop knows, through its own FileSystem; no byte of them passes through this process."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from py4j.protocol import Py4JJavaError

from services.contract.errors import Refused, jvm_reason

# Where a folder is renamed at once; elsewhere its files are copied, one after the other.
_RENAMING = frozenset({"file", "hdfs", "viewfs", "webhdfs", "swebhdfs"})
_HIDDEN = ("_", ".")
_BUFFER = 1 << 20


class Found(NamedTuple):
    path: str
    bytes: int


class Files:
    """Paths are addresses with a scheme. What Java raises is raised, but for what a person can do something about."""

    def __init__(self, context: Any) -> None:
        # Each word of a name is a question to Java, so a class is asked for once.
        java, hadoop = context._jvm.java, context._jvm.org.apache.hadoop
        self._configuration, self._gateway = context._jsc.hadoopConfiguration(), context._gateway
        self._path, self._contexts, self._options = hadoop.fs.Path, hadoop.fs.FileContext, hadoop.fs.Options.Rename
        self._copy, self._nowhere = hadoop.io.IOUtils.copyBytes, java.io.OutputStream.nullOutputStream
        self._digests, self._digested = java.security.MessageDigest, java.security.DigestInputStream

    def data(self, address: str) -> list[Found]:
        """The files that a path or a pattern names, below it and sorted; names that begin with _ or . are no data.

        Raises Refused where there is nothing, and where it cannot be looked at.
        """
        path = self._path(address)
        try:
            roots = self._system(path).globStatus(path)
            if roots is None or not len(roots):
                raise Refused(f"{address}: expected files to score, found nothing there")
            return sorted(found for root in roots for found in self._below(root))
        except Py4JJavaError as error:
            raise Refused(f"{address}: expected files to score, cannot look there: {jvm_reason(error)}") from error

    def _below(self, status: Any) -> Iterator[Found]:
        if not status.isDirectory():
            yield Found(status.getPath().toString(), status.getLen())
            return
        for child in self._system(status.getPath()).listStatus(status.getPath()):
            if not child.getPath().getName().startswith(_HIDDEN):
                yield from self._below(child)

    def sha256(self, address: str) -> str:
        path = self._path(address)
        digest = self._digests.getInstance("SHA-256")
        source = self._digested(self._system(path).open(path), digest)
        self._copy(source, self._nowhere(), _BUFFER, True)
        return bytes(digest.digest()).hex()

    def names(self, address: str) -> list[str]:
        """Of what is in a folder; none where there is no folder."""
        path = self._path(address)
        if not self._system(path).exists(path):
            return []
        return [child.getPath().getName() for child in self._system(path).listStatus(path)]

    def exists(self, address: str) -> bool:
        path = self._path(address)
        return bool(self._system(path).exists(path))

    def is_folder(self, address: str) -> bool:
        path = self._path(address)
        return self.exists(address) and bool(self._system(path).getFileStatus(path).isDirectory())

    def read(self, address: str) -> str | None:
        """The text of a small file, None where there is none."""
        path = self._path(address)
        if not self._system(path).exists(path):
            return None
        stream = self._system(path).open(path)
        try:
            return bytes(stream.readAllBytes()).decode()
        finally:
            stream.close()

    def write(self, address: str, text: str) -> None:
        """Whole or not at all: where a file is seen while it is written, it has another name until then."""
        path = self._path(address)
        beside = self._path(f"{path.getParent().toString()}/_{path.getName()}.writing")
        stream = self._system(path).create(beside, True)
        stream.write(text.encode())
        stream.close()
        self._system(path).delete(path, False)
        self._system(path).rename(beside, path)

    def delete(self, address: str) -> None:
        path = self._path(address)
        self._system(path).delete(path, True)

    def make_folder(self, address: str) -> None:
        path = self._path(address)
        self._system(path).mkdirs(path)

    def move_file(self, source: str, target: str) -> None:
        """Nothing to do where that was done before, or half of it: a file is there when it is whole."""
        old, new = self._path(source), self._path(target)
        if self._system(new).exists(new):
            self._system(old).delete(old, False)
        elif not self._system(old).rename(old, new):
            raise Refused(f"{target}: expected to move {source} there, cannot: look at both")

    def move_folder(self, source: str, target: str) -> None:
        """At once. Raises Refused where something is there."""
        old, new = self._path(source), self._path(target)
        context = self._contexts.getFileContext(new.toUri(), self._configuration)
        options = self._gateway.new_array(self._options, 0)
        try:
            context.rename(old, new, options)
        except Py4JJavaError as error:
            raise Refused(f"{target}: expected to put the result there, cannot: {jvm_reason(error)}") from error

    def copy_here(self, folder: str, target: str) -> None:
        """From this machine's disk."""
        path = self._path(target)
        self._system(path).copyFromLocalFile(False, True, self._path(folder), path)

    def renames(self, address: str) -> bool:
        """Whether a folder there is renamed at once."""
        return str(self._system(self._path(address)).getUri().getScheme()) in _RENAMING

    def _system(self, path: Any) -> Any:
        return path.getFileSystem(self._configuration)

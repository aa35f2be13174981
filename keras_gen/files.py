"""Write files and folders so that a crash leaves the old or the new one."""

import contextlib
import errno
import json
import math
import os
import shutil
import time
from pathlib import Path

_PREFIX = ".tmp-"


def sweep(folder):
    """Remove what crashed writers left behind in `folder`.

    What a writer had moved aside, and died before replacing, is moved back.
    """
    for path in Path(folder).glob(f"{_PREFIX}*"):
        _, _, name = path.name.partition("-old-")
        if name and not (path.parent / name).exists():
            os.replace(path, path.parent / name)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def make_folder(folder):
    """Create `folder` and prove that files can be written into it.

    Returns:
        `pathlib.Path` of the folder.

    Raises:
        OSError: If it cannot be created or written to.
    """
    folder = Path(folder)
    probe = folder / f"{_PREFIX}probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"Cannot write to the folder {str(folder)!r}: {error}"
        ) from error
    return folder


def check_space(folder, variables):
    """Raise if the disk has no room for a file of variables.

    HDF5 brings the process down where it finds out itself.
    """
    needed = sum(
        math.prod(v.shape) * (8 if "64" in str(v.dtype) else 4) + 4096
        for v in variables
    )
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f"No space left on device: {needed:,} bytes needed, {free:,} free",
            str(folder),
        )


@contextlib.contextmanager
def locked(folder):
    """Keep a folder to this process and those it starts with `close_fds=False`.

    The lock ends with the last of them, however it ends; of a process that was
    killed these are waited for, three seconds. Does nothing where the system or
    the disk has no such locks.

    Raises:
        ValueError: If another process has it.
    """
    with open(Path(folder) / ".lock", "w") as file:
        os.set_inheritable(file.fileno(), True)
        end = time.monotonic() + 3
        while not _lock(file):
            if time.monotonic() > end:
                raise ValueError(
                    f"Another process is at work in {str(folder)!r}. Wait for "
                    "it, or choose another folder."
                )
            time.sleep(0.1)
        yield


def _lock(file):
    """Return whether the lock is ours, or there are none here."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # Windows, a file system without locks
        pass
    return True


@contextlib.contextmanager
def atomic_folder(path):
    """Yield a temporary folder that becomes `path` if the block succeeds.

    An existing folder at `path` is replaced, whole; of a link, the folder it
    leads to. Every file is on the disk before the folder gets its name.
    """
    path = Path(path).resolve()
    temporary = path.parent / f"{_PREFIX}{os.getpid()}-{path.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _flush(file)
        _flush(temporary)
        if path.exists():
            # A folder that is not empty cannot be replaced: move it aside.
            aside = path.parent / f"{_PREFIX}{os.getpid()}-old-{path.name}"
            os.replace(path, aside)
            try:
                os.replace(temporary, path)
            except BaseException:
                os.replace(aside, path)
                raise
            shutil.rmtree(aside)
        else:
            os.replace(temporary, path)
        _flush(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def remove_folder(path):
    """Remove a folder such that no half of it keeps its name."""
    path = Path(path)
    doomed = path.parent / f"{_PREFIX}{os.getpid()}-gone-{path.name}"
    os.replace(path, doomed)
    shutil.rmtree(doomed)


@contextlib.contextmanager
def atomic_file(path):
    """Yield a temporary path that becomes `path` if the block succeeds.

    The temporary file keeps the extension, which writers look at.
    """
    path = Path(path)
    temporary = path.parent / f"{_PREFIX}{os.getpid()}-{path.name}"
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Write a text file, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path):
    if os.name == "nt":  # flushes neither folders nor what is open to read
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_settings(file):
    """Return the dict that a JSON file holds.

    Raises:
        ValueError: If it is damaged or holds none.
    """
    try:
        settings = json.loads(Path(file).read_text())
        if not isinstance(settings, dict):
            raise ValueError(f"it holds a {type(settings).__name__}")
        return settings
    except ValueError as error:
        raise ValueError(
            f"{str(file)!r} is damaged ({error}). Delete it to start anew."
        ) from error


def keep_settings(file, settings):
    """Write the settings of a run to a new JSON file, or compare with them.

    Raises:
        ValueError: If the file holds other settings.
    """
    before = read_settings(file) if file.exists() else settings
    keys = [*before, *(key for key in settings if key not in before)]
    changed = {
        k: before.get(k) for k in keys if before.get(k) != settings.get(k)
    }
    if changed:
        raise ValueError(
            f"What is in {str(file.parent)!r} was started with {changed}; go "
            "on with the same, or choose another folder."
        )
    write_text(file, json.dumps(settings) + "\n")

"""Standard streams that are closed or full, as a shell gives them: no traceback, no bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

posix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `alexnet` inside a line of a shell, with $ALEXNET for it."""
    program = f"{sys.executable} -m alexnet"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env={**os.environ, "ALEXNET": program, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
    )


CASES = {
    "help, closed": ("$ALEXNET train --help >&-", 0, ""),
    "help, full": ("$ALEXNET train --help >/dev/full", 2, "written to standard output: No space"),
    "help, nobody reads": ("$ALEXNET train --help | true", 1, ""),
    "version, full": ("$ALEXNET --version >/dev/full", 2, "written to standard output: No space"),
    "error, all closed": ("$ALEXNET trian <&- >&- 2>&-", 2, ""),
    "error with traceback, full": ("$ALEXNET trian --debug 2>/dev/full", 2, ""),
    "list, full": ("$ALEXNET weights --json >/dev/full", 2, "written to standard output: No space"),
    "list, closed": ("$ALEXNET weights --json >&-", 0, ""),
    "image, closed": ("$ALEXNET predict - <&-", 2, "- cannot be read: it is empty"),
}


@posix
@pytest.mark.parametrize(("command", "code", "words"), CASES.values(), ids=CASES)
def test_streams_of_a_shell(command, code, words, tmp_path, stand_in):
    done = shell(command, tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    for wrong in ("Traceback", "bug in alexnet", "Exception ignored"):
        assert wrong not in done.stderr
    assert done.stderr.count("\n") <= 1


@posix
def test_a_closed_stream_is_no_file_that_is_opened_later(tmp_path):
    """Else what a library writes to standard error would land in a weights file."""
    code = (
        "import os, sys; from alexnet.cli import main as m; "
        "m._run = lambda words: os.write(3, b'%d' % os.open('file', os.O_CREAT)) and 0; "
        "sys.exit(m.main([]))"
    )
    reader, writer = os.pipe()
    line = f'exec 3>&{writer}; exec "$0" -c "$1" <&- >&- 2>&-'
    subprocess.run(
        ["bash", "-c", line, sys.executable, code], pass_fds=[writer], check=True, cwd=tmp_path
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert int(pipe.read()) > 2

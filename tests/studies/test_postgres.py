"""A study on a PostgreSQL server, which is started here, from Debian's packages."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from alexnet.errors import RunError
from alexnet.studies import TrialWorker, open_study, trial_records
from alexnet.training import StopRequest

from .formula import make_config, train_formula
from .test_worker_death import assert_complete, finish, start, wait_for

pytestmark = pytest.mark.slow

_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
_ON_PATH = shutil.which("initdb")
BIN = _INSTALLED[-1].parent if _INSTALLED else Path(_ON_PATH).parent if _ON_PATH else None


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Generator[str]:
    """The address of a server of our own, on a socket in a temporary folder."""
    if BIN is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    pytest.importorskip("psycopg", reason='PostgreSQL needs psycopg: "alexnet[search]"')
    # A socket's path has at most 107 bytes, and the server refuses to run as root.
    place = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    owner = getpass.getuser()
    become: dict[str, object] = {}
    if os.geteuid() == 0:
        owner = next((n for n in ("postgres", "nobody") if _known(n)), "")
        if not owner:
            pytest.skip("running as root, and there is no other user to run PostgreSQL as")
        entry = pwd.getpwnam(owner)
        os.chown(place, entry.pw_uid, entry.pw_gid)
        become = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def call(*words: object) -> None:
        subprocess.run(
            [str(each) for each in words],
            check=True,
            cwd=place,
            stdout=subprocess.DEVNULL,
            timeout=300,
            **become,
        )

    data = place / "data"
    try:
        call(BIN / "initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8")
        flags = f"-c listen_addresses='' -k {place} -F"
        call(BIN / "pg_ctl", "-D", data, "-w", "-o", flags, "-l", place / "log", "start")
        try:
            call(BIN / "createdb", "-h", place, "-U", "tester", "studies")
            yield f"postgresql://tester@/studies?host={place}"
        finally:
            call(BIN / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _known(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


def test_a_study_on_a_server_equals_one_in_a_file(tmp_path, server):
    config = make_config(pruner="halving", trials=8)
    with open_study(tmp_path / "pets", config, server) as study:
        TrialWorker(study, train_formula, StopRequest()).work()
        there = trial_records(study)
    with open_study(tmp_path / "file" / "pets", config) as study:
        TrialWorker(study, train_formula, StopRequest()).work()
        here = trial_records(study)
    assert [(e.params, e.val_error, e.curve) for e in there] == [
        (e.params, e.val_error, e.curve) for e in here
    ]
    with (
        pytest.raises(RunError, match="sampler: random then, tpe now"),
        open_study(tmp_path / "pets", make_config(sampler="tpe"), server),
    ):
        pass


def test_two_machines_share_the_trials(tmp_path, server):
    """Two folders that share nothing, not even the locks of workers."""
    folders = [tmp_path / name / "shared" for name in ("one", "two")]
    workers = [start(folder, server, go=tmp_path / "go") for folder in folders]
    while not all(list(folder.glob("trials/*/epochs.txt")) for folder in folders):
        assert all(each.poll() is None for each in workers)
        time.sleep(0.02)
    (tmp_path / "go").touch()
    for each in workers:
        finish(each)
    with open_study(folders[0], make_config(), server) as study:
        trials = trial_records(study)
    assert [each.state for each in trials] == ["complete"] * len(trials)
    assert 6 <= len(trials) <= 7  # each further machine may run a trial more
    assert len({str(each.params) for each in trials}) == len(trials)
    made = [len(list((folder / "trials").iterdir())) for folder in folders]
    assert sum(made) == len(trials)
    assert min(made) >= 1


def test_a_trial_is_requeued_without_heartbeat(tmp_path, server):
    never = tmp_path / "never"
    first = start(tmp_path / "one" / "killed", server, go=never, heartbeat_s=1)
    wait_for(tmp_path / "one" / "killed" / "trials" / "0000" / "epochs.txt", 1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = start(tmp_path / "two" / "killed", server, heartbeat_s=1)
    finish(second)
    with open_study(tmp_path / "two" / "killed", make_config(), server) as study:
        assert_complete(trial_records(study), killed=0)

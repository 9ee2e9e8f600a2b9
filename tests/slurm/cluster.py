"""A Slurm of our own on this machine: munged, slurmctld and two slurmd, in one folder, on loopback, without accounting.

`python tests/slurm/cluster.py` starts one, with a shell on it, and ends it with the shell.
"""

import os
import platform
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

NODES = ("n1", "n2")
CORES, GPUS = 2, 2  # that each node says it has
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
SECONDS = 60  # that anything may take to start
# proctrack/linuxproc, since a run's processes have sessions of their own, and a container has no cgroups to give. What
# is queued again waits as long as a credential lives (cred_expire), elsewhere 120 s.
CONF = """ClusterName=aesthetics
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SchedulerParameters=bf_interval=2,sched_interval=2
ReturnToService=2
SlurmdTimeout=10
KillWait=20
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cores} Gres=gpu:{gpus}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cores} Gres=gpu:{gpus}
PartitionName=main Nodes=ALL Default=YES MaxTime=60
"""

CGROUPS = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"  # it looks for none; slurmd would end where there are none


def lacking() -> list[str]:
    """The programs that are not installed here."""
    return [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]


class Cluster:
    """The daemons of a cluster, by their names; what calls sbatch and the like does it in `environment`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self.environment["PATH"] += ":/usr/sbin"
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start everything, and wait until both nodes take jobs."""
        self._write()
        munge = self.folder / "munge"
        options = [f"--{name}={munge / name}" for name in ("socket", "key-file", "pid-file", "log-file", "seed-file")]
        self._start("munged", "munged", "--foreground", "--force", *options)
        wait_for(lambda: (munge / "socket").exists(), SECONDS)
        self._start("slurmctld", "slurmctld", "-D")
        for name in NODES:
            self.start_node(name)
        wait_for(lambda: self._live() and set(self.idle()) == {*NODES}, SECONDS)

    def _live(self) -> bool:
        """Whether all daemons are; AssertionError with the last words of one that has ended."""
        for name, daemon in self.daemons.items():
            assert daemon.poll() is None, f"{name} has ended: {self.log(name)[-500:]}"
        return True

    def start_node(self, name: str) -> None:
        self._start(name, "slurmd", "-D", "-N", name)

    def kill_node(self, name: str) -> None:
        """Have a node die at once: its slurmd, and all processes of its jobs."""
        self.daemons[name].kill()
        self.daemons.pop(name).wait()
        for process in self._of_jobs(name):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def stop(self) -> None:
        """End all daemons, and the processes of jobs that are still there."""
        for name in reversed(self.daemons):
            self.daemons[name].terminate()
        for daemon in self.daemons.values():
            daemon.wait(SECONDS)
        for process in self._of_jobs():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def call(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == status, (words, done.stderr)
        return done.stdout

    def idle(self) -> list[str]:
        """The nodes that could take a job now."""
        lines = self.call("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return [line.split()[0] for line in lines if line.split()[1] == "idle"]

    def queue(self) -> dict[str, str]:
        """The states of the jobs that wait or run, by their numbers."""
        return dict(line.split() for line in self.call("squeue", "--noheader", "--format=%i %T").splitlines())

    def job(self, number: str) -> dict[str, str]:
        """What scontrol says of a job."""
        said = self.call("scontrol", "--oneliner", "show", "job", number)
        return dict(word.partition("=")[::2] for word in said.split())

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _write(self) -> None:
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o700)
        (self.folder / "munge" / "key-file").write_bytes(os.urandom(128))
        (self.folder / "munge" / "key-file").chmod(0o400)
        (self.folder / "cgroup.conf").write_text(CGROUPS)
        user = pwd.getpwuid(os.geteuid()).pw_name
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in sockets]
        names = {"host": platform.node(), "user": user, "folder": self.folder, "ports": ports}
        (self.folder / "slurm.conf").write_text(CONF.format(cores=CORES, gpus=GPUS, **names))
        gres = []
        for number in range(GPUS):
            file = self.folder / f"gpu{number}"
            os.mknod(file, stat.S_IFCHR | 0o600, os.makedev(1, 3))  # as /dev/null; takes root
            gres += [f"NodeName={node} Name=gpu File={file}\n" for node in NODES]
        (self.folder / "gres.conf").write_text("".join(gres))

    def _start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("a") as log:
            self.daemons[name] = subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _of_jobs(self, node: str | None = None) -> list[psutil.Process]:
        """The processes of this cluster's jobs (of those on one node), and the slurmstepd that watch them."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                environment = process.environ()
                if environment.get("SLURM_CONF") != self.environment["SLURM_CONF"]:
                    continue
                if node is None and process.name().startswith("slurmstepd"):
                    found.append(process)
                elif environment.get("SLURMD_NODENAME") and node in (None, environment["SLURMD_NODENAME"]):
                    parent = process.parent()
                    found += [parent] if parent and parent.name().startswith("slurmstepd") else []
                    found.append(process)
        return found


def wait_for(happens: Callable[[], object], seconds: float) -> None:
    """Wait until something is so; AssertionError where it does not come in time."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, f"waited {seconds} s"
        time.sleep(0.2)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster while it is used; its folder is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        made = Cluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


if __name__ == "__main__":
    with cluster() as ours:
        print(f"SLURM_CONF={ours.environment['SLURM_CONF']}")
        sys.exit(subprocess.call([os.environ.get("SHELL", "bash")], env=ours.environment))

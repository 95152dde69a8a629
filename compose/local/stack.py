"""A named stack: several services started together, remembered, looked at and stopped.

The same class serves `alpr stack` (a stack that outlives the command) and the tests (a stack of their own, on
free ports, gone afterwards). Servers run in sessions of their own; what identifies them is written to the
state file as soon as they exist, so that an interrupted start leaves nothing that `stop` cannot find.
"""

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from compose.local.artifacts import Report, file_lock, silent
from compose.local.errors import NotReady, PortTaken, StackBusy, StackError, StartFailed
from compose.local.folders import stack_dir
from compose.local.ports import free_port, holder, is_free
from compose.local.processes import ProcessRecord, last_lines, spawn
from compose.local.service import Place, Service
from compose.local.services import CATALOGUE, chosen
from compose.local.state import ServiceState, StackState

_POLL_S = 0.15
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How one service that should run is doing.

    Attributes:
        name: its name.
        version: what was started.
        ports: port name to number.
        pid: its process, dead or alive.
        is_alive: its process runs.
        problem: why it is not usable; empty when it is healthy.
        rss_bytes: resident memory with children.
        uptime_s: seconds since its start; 0 when it is dead.
        log: its log file.
    """

    name: str
    version: str
    ports: dict[str, int]
    pid: int
    is_alive: bool
    problem: str
    rss_bytes: int
    uptime_s: float
    log: Path


class Stack:
    """One stack of servers on loopback."""

    def __init__(self, name: str = "local", *, services: Sequence[Service] = (), report: Report = silent) -> None:
        """Names the stack; nothing is touched yet.

        Args:
            name: folder name of its state, data and logs.
            services: what `start` starts; empty means the default set.
            report: receives progress lines.

        Raises:
            ValueError: the name cannot be a folder name.
        """
        self.name = name
        self.folder = stack_dir(name)
        self._services = tuple(services) or chosen()
        self._report = report
        self._state_path = self.folder / "stack.json"
        self._lock_path = self.folder.with_name(f".{name}.lock")
        self._state_lock = threading.RLock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    # --- starting -----------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Downloads and builds what is not cached yet, several services at a time.

        Raises:
            StackError: a client is missing or failed; the others are finished first.
        """
        _for_each(self._services, _require_tools)

        def fetch_one(service: Service) -> None:
            for artifact in service.artifacts():
                artifact.ensure(self._report)

        _for_each(self._services, fetch_one)

    def start(self, *, free_ports: bool = False, fresh: bool = False) -> None:
        """Starts every service that does not run yet and waits until all are healthy.

        Args:
            free_ports: take free ports instead of the usual ones (the same as last time where they are free).
            fresh: stop the services first and wipe their data.

        Raises:
            PortTaken: a usual port belongs to somebody else.
            StartFailed: a server did not come up; those started by this call are stopped again.
            StackBusy: another command works on this stack.
            StackError: something could not be fetched.
        """
        with self._exclusively():
            self.fetch()
            if fresh:
                self._stop_all([service.name for service in self._services])
                for service in self._services:
                    shutil.rmtree(service.folder(self.folder), ignore_errors=True)
            missing = [service for service in self._services if self._running(service.name) is None]
            ports = self._assign_ports(missing, free_ports=free_ports)
            try:
                _for_each(missing, lambda service: self._start_one(service, ports[service.name]))
            except BaseException:
                self._stop_all([service.name for service in missing])
                raise

    def start_service(self, name: str) -> None:
        """Starts one service, on the ports and the data that it had; one that never ran gets free ports.

        Raises:
            UnknownService: there is no such service.
            StartFailed: it does not come up.
            PortTaken: somebody took one of its ports meanwhile.
            StackError: it could not be fetched.
        """
        (service,) = chosen((name,))
        if self._running(name) is not None:
            return
        _require_tools(service)
        for artifact in service.artifacts():
            artifact.ensure(self._report)
        ports = self._state().ports.get(name) or {key: free_port() for key in service.usual_ports}
        _await_free(service, ports)
        self._start_one(service, ports)

    def _start_one(self, service: Service, ports: dict[str, int]) -> None:
        started = time.monotonic()
        place = Place(folder=service.folder(self.folder), ports=ports)
        log_path = self.folder / "logs" / f"{service.name}.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        service.prepare(place)
        child = spawn(service.launch(place), log_path=log_path, cwd=place.folder)
        self._children[service.name] = child
        entry = ServiceState(
            version=service.version,
            ports=ports,
            process=ProcessRecord.of(child.pid),
            folder=str(place.folder),
            log=str(log_path),
        )
        self._update(lambda state: state.with_service(service.name, entry))
        self._wait_healthy(service, place, child, log_path)
        service.after_start(place)
        shown = ", ".join(str(port) for key, port in ports.items() if key not in service.internal_ports)
        self._report(
            f"{service.name} {service.version}: healthy on port {shown} after {time.monotonic() - started:.1f} s"
        )

    def _wait_healthy(self, service: Service, place: Place, child: subprocess.Popen[bytes], log_path: Path) -> None:
        deadline = time.monotonic() + service.start_timeout_s
        while True:
            code = child.poll()
            if code is not None:
                raise StartFailed(
                    f"{service.name} ended with {_exit_text(code)} while it started; its log {log_path} ends:\n"
                    f"{last_lines(log_path)}"
                )
            try:
                service.check(place)
            except NotReady as error:
                if time.monotonic() > deadline:
                    raise StartFailed(
                        f"{service.name} is not healthy after {service.start_timeout_s:.0f} s ({error}); "
                        f"its log {log_path} ends:\n{last_lines(log_path)}"
                    ) from error
            else:
                return
            time.sleep(_POLL_S)

    def _assign_ports(self, services: Sequence[Service], *, free_ports: bool) -> dict[str, dict[str, int]]:
        """Ports of the services to start.

        Raises:
            PortTaken: naming every taken port at once, its holder, and the ways out.
        """
        remembered = self._state().ports
        assigned: dict[str, dict[str, int]] = {}
        taken: list[str] = []
        for service in services:
            ports = {}
            for key, usual in service.usual_ports.items():
                if free_ports:
                    last = remembered.get(service.name, {}).get(key, 0)
                    ports[key] = last if last and last != usual and is_free(last) else free_port()
                elif is_free(usual):
                    ports[key] = usual
                elif key in service.internal_ports:
                    ports[key] = free_port()
                else:
                    taken.append(_taken_text(service, key, usual))
            assigned[service.name] = ports
        if taken:
            raise PortTaken(
                "\n".join(taken)
                + f"\nEnd what holds the ports, or run: alpr stack up --name {self.name} --free-ports"
                + "\n(servers of another stack of ours end with: alpr stack down --name NAME)"
            )
        return assigned

    # --- stopping -----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stops every service of this stack that runs, whichever command started it; data stays.

        Raises:
            StackBusy: another command works on this stack.
        """
        with self._exclusively():
            self._stop_all(list(self._state().services))

    def stop_service(self, name: str) -> None:
        """Stops one service cleanly and forgets that it should run."""
        self._stop_all([name])

    def kill_service(self, name: str) -> None:
        """Ends one service as a crash would (SIGKILL), and forgets that it should run."""
        entry = self._state().services.get(name)
        if entry is not None:
            self._update(lambda state: state.without(name))
            entry.process.kill()
            self._reap(name)

    def destroy(self, *, keep_logs: bool = False) -> None:
        """Stops everything and removes the stack's data and state, and its logs unless they are to be kept."""
        self.stop()
        for service in CATALOGUE.values():
            shutil.rmtree(service.folder(self.folder), ignore_errors=True)
        if not keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._lock_path.unlink(missing_ok=True)

    def _stop_all(self, names: Sequence[str]) -> None:
        entries = self._state().services

        def stop_one(name: str) -> None:
            entry = entries[name]
            service = CATALOGUE[name]
            self._update(lambda state: state.without(name))
            if not entry.process.is_alive():
                self._reap(name)
                return
            clean = entry.process.stop(service.stop_signal, service.stop_timeout_s)
            self._reap(name)
            self._report(f"{name}: stopped" if clean else f"{name}: killed, it did not stop by itself")

        _for_each([name for name in names if name in entries], stop_one)

    def _reap(self, name: str) -> None:
        """Collects the exit status of a child of this process, so that no zombie stays."""
        child = self._children.get(name)
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)

    # --- looking ------------------------------------------------------------------------------------------

    def endpoints(self) -> dict[str, str]:
        """The `ALPR_*` settings for clients of the services that should be running."""
        settings: dict[str, str] = {}
        for name, entry in self._state().services.items():
            settings.update(CATALOGUE[name].environment(_place(entry)))
        return settings

    def services(self) -> list[ServiceStatus]:
        """Every service that should be running, asked for its health just now."""
        entries = self._state().services
        with ThreadPoolExecutor(max_workers=max(1, len(entries))) as pool:
            found = dict(zip(entries, pool.map(_status, entries, entries.values()), strict=True))
        return [found[name] for name in CATALOGUE if name in found]

    def dead(self) -> dict[str, str]:
        """Services that should run but whose process has ended: name to a text with exit code and log.

        Cheap enough to be asked every second.
        """
        ended = {}
        for name, entry in self._state().services.items():
            # whoever stops a service on purpose says so in the state first: hence the second look
            if entry.process.is_alive() or self._state().services.get(name) != entry:
                continue
            child = self._children.get(name)
            code = child.poll() if child is not None and child.pid == entry.process.pid else None
            how = "its exit code is unknown" if code is None else _exit_text(code)
            ended[name] = f"{how}; its log {entry.log} ends:\n{last_lines(Path(entry.log))}"
        return ended

    def log_path(self, name: str) -> Path:
        """The log of a service, whether or not it runs."""
        return self.folder / "logs" / f"{name}.log"

    def _running(self, name: str) -> ServiceState | None:
        entry = self._state().services.get(name)
        return entry if entry is not None and entry.process.is_alive() else None

    # --- state --------------------------------------------------------------------------------------------

    def _state(self) -> StackState:
        with self._state_lock:
            return StackState.load(self._state_path)

    def _update(self, change: Callable[[StackState], StackState]) -> None:
        with self._state_lock:
            change(StackState.load(self._state_path)).save(self._state_path)

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Keeps two commands from starting or stopping the same stack at once.

        Raises:
            StackBusy: another one is at it.
        """
        lock = file_lock(self._lock_path, wait=False)
        try:
            lock.__enter__()
        except BlockingIOError as error:
            raise StackBusy(f"stack {self.name}: another command is starting or stopping it") from error
        try:
            yield
        finally:
            lock.__exit__(None, None, None)


def _require_tools(service: Service) -> None:
    """Says what is missing before minutes are spent on downloads.

    Raises:
        ToolMissing: the first program that is absent or too old.
    """
    needed = [*service.tools, *(tool for a in service.artifacts() if not a.is_cached for tool in a.tools)]
    for tool in needed:
        tool.require()


def _place(entry: ServiceState) -> Place:
    return Place(folder=Path(entry.folder), ports=entry.ports)


def _status(name: str, entry: ServiceState) -> ServiceStatus:
    process = entry.process.process()
    problem = ""
    if process is None:
        problem = "its process has ended"
    else:
        try:
            CATALOGUE[name].check(_place(entry))
        except NotReady as error:
            problem = str(error)
    return ServiceStatus(
        name=name,
        version=entry.version,
        ports=entry.ports,
        pid=entry.process.pid,
        is_alive=process is not None,
        problem=problem,
        rss_bytes=entry.process.rss_bytes(),
        uptime_s=0.0 if process is None else max(0.0, time.time() - entry.process.started_at_s),
        log=Path(entry.log),
    )


def _await_free(service: Service, ports: dict[str, int], patience_s: float = 5.0) -> None:
    """Waits for ports that a server killed a moment ago still holds: the kernel frees them thread by thread.

    Raises:
        PortTaken: somebody else holds one.
    """
    deadline = time.monotonic() + patience_s
    while taken := [_taken_text(service, key, port) for key, port in ports.items() if not is_free(port)]:
        if time.monotonic() > deadline:
            raise PortTaken("\n".join(taken))
        time.sleep(_POLL_S)


def _taken_text(service: Service, key: str, port: int) -> str:
    return f"{service.name}: port {port} ({key}) is held by {holder(port)}"


def _exit_text(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _for_each(items: Sequence[_T], action: Callable[[_T], None]) -> None:
    """Runs `action` on all items at once, waits for all, then raises what went wrong as one error."""
    if not items:
        return
    with ThreadPoolExecutor(max_workers=len(items)) as pool:
        futures = [pool.submit(action, item) for item in items]
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, StackError):
            raise error
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise StackError("\n".join(str(error) for error in errors))

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
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from compose.local.artifacts import Report, file_lock, silent
from compose.local.errors import NotReady, StackBusy, StackError, StartFailed
from compose.local.folders import stack_dir
from compose.local.port_plan import assign_ports, await_free
from compose.local.ports import free_port
from compose.local.processes import ProcessRecord, last_lines, spawn
from compose.local.service import Place, Service
from compose.local.services import CATALOGUE, chosen
from compose.local.state import ServiceState, StackState
from compose.local.status import ServiceStatus, place_of, status_of

_POLL_S = 0.15
_T = TypeVar("_T")


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
        self._interrupted = threading.Event()

    # --- starting -----------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Downloads and builds what is not cached yet, several services at a time.

        Raises:
            StackError: a client is missing or failed; the others are finished first.
        """
        self._for_each(self._services, _require_tools)

        def fetch_one(service: Service) -> None:
            for artifact in service.artifacts():
                artifact.ensure(self._report)

        self._for_each(self._services, fetch_one)

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
            ports = assign_ports(missing, self._state().ports, free_ports=free_ports)
            try:
                self._for_each(missing, lambda service: self._start_one(service, ports[service.name]))
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
        await_free(service, ports)
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
            if self._interrupted.is_set():
                raise StartFailed(f"{service.name}: interrupted while it started")
            code = child.poll()
            if code is not None:
                raise StartFailed(
                    f"{service.name} ended with {_exit_text(code)} while it started; its log {log_path} ends:\n"
                    f"{last_lines(log_path)}\n(if its data is of another version: --fresh wipes it)"
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

        self._for_each([name for name in names if name in entries], stop_one)

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
            settings.update(CATALOGUE[name].environment(place_of(entry)))
        return settings

    def services(self) -> list[ServiceStatus]:
        """Every service that should be running, asked for its health just now."""
        entries = self._state().services
        with ThreadPoolExecutor(max_workers=max(1, len(entries))) as pool:
            found = dict(zip(entries, pool.map(status_of, entries, entries.values()), strict=True))
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

    def _for_each(self, items: Sequence[_T], action: Callable[[_T], None]) -> None:
        """Runs `action` on all items at once, waits for all, then raises what went wrong as one error.

        Ctrl-C makes the waiting threads give up, so that it is answered at once.
        """
        if not items:
            return
        self._interrupted.clear()
        with ThreadPoolExecutor(max_workers=len(items)) as pool:
            futures = [pool.submit(action, item) for item in items]
            try:
                wait(futures)
            except BaseException:
                self._interrupted.set()
                raise
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, StackError):
                raise error
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise StackError("\n".join(dict.fromkeys(str(error) for error in errors)))

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


def _exit_text(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

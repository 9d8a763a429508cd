"""The application: its plugins, its registries, its store. There is one in a process, and one in a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import ModuleType
from typing import Any

from densefog_core import builtin, hookspecs, logs, notify_durable
from densefog_core.actions.dryrun import refusing
from densefog_core.actions.handlers import ActionRegistry, ActionSpec
from densefog_core.actions.keys import KeyState, no_keys
from densefog_core.actions.records import Request, request
from densefog_core.actions.transports import HeaderSource, Page, TransportFactory
from densefog_core.config import CONF, Config, declared_by
from densefog_core.errors import ConfigError, ErrorTable, PluginError, RegistrationError, StartupError
from densefog_core.errors.iaas_error import ResourceNotBelongsToProject, Unreadable
from densefog_core.errors.project_error import AccessKeyInvalid
from densefog_core.errors.table import INTERNAL_CODE, text_of
from densefog_core.flow import pauses
from densefog_core.functions import attempt, guarded
from densefog_core.jobs import Job, JobEvent, JobRegistry, JobSpec, JobStore, new_job
from densefog_core.jobs.sealed import opened
from densefog_core.jobs.tries import RunningJob
from densefog_core.jobs.workers import WorkerFactory
from densefog_core.notify import ChannelFactory, Notifier, declare_options
from densefog_core.plugins.discovery import ACTIONS, JOBS, Found
from densefog_core.plugins.manager import Plugins, fatal
from densefog_core.plugins.markers import hookimpl
from densefog_core.plugins.observers import tell
from densefog_core.plugins.records import PluginRecord
from densefog_core.plugins.strays import check_settings
from densefog_core.redact import hiding
from densefog_core.registry import Gate, Registry, StartUpDict, StartUpList
from densefog_core.sealing import REMEDY, SETTING, Cipher, configured_cipher

#: Seconds that notices get at shutdown even when running jobs took all the time there was: one may be of such a job.
LAST_NOTICES = 2.0


StoreFactory = Callable[["App"], JobStore]
Mount = Callable[[Any], Callable[..., Iterable[bytes]] | None]


#: Attributes that plugins set in ``densefog_startup``, and nobody later.
_SET_AT_START = frozenset(
    "pages readers outside origins mounts response_headers action_wrappers security_schemes wake_listeners"
    " guard key_of key_state".split()
)


class _Core:
    """The core's own part in the calls that plugins wrap."""

    @hookimpl(trylast=True)
    def densefog_authenticate(self, request: Request) -> bool:
        raise AccessKeyInvalid(request.claimed_key)

    @hookimpl(trylast=True)
    def densefog_call_action(self, request: Request, handler: Callable[[Request], Any]) -> Any:  # noqa: ANN401
        return handler(request)

    @hookimpl(trylast=True)
    def densefog_call_job(self, job: RunningJob, handler: Callable[[RunningJob], Any]) -> Any:  # noqa: ANN401
        return handler(job)


def _mapping(function: Callable[..., Mapping[str, Any] | None], **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    return dict(function(**arguments) or {})


class App:
    """Everything that was registered, and what is built of it.

    Attributes:
        config: the settings.
        plugins: the plugin host.
        actions, jobs, errors, channels, transports, workers, stores: the registries.
        notifier: tells channels of failed jobs.
        access_log: where each call's line goes.
        pages: answers to GET by path; each is given the `Api` that is asked. Plugins add theirs at start-up.
        readers: who may read a page, by path: the name of a setting with one of `config.READERS`; without one, all.
        outside: what those get who may not read a page, by path; without one, they are refused.
        origins: origins whose pages may call APIs from a browser. Plugins add theirs at start-up.
        mounts: what makes a plugin's WSGI application below a prefix like ``/console``; each is given the `Api`, and
            returns None where it serves nothing. Calls of actions come first. Plugins add theirs at start-up.
        key_state: returns what is known of an access key in force, or None; the plugin that authenticates sets it.
        response_headers: functions of a request's method and headers that return more headers for its response.
            Plugins add theirs at start-up.
        apis: each `Api` of this process by name.
        action_wrappers: functions that return an `ActionSpec` whose call does more, or the same one; the first is the
            innermost. Plugins add theirs at start-up.
        guard: name of the plugin that authenticates calls, or None.
        key_of: returns the id of the access key that a request names, unchecked; the plugin that authenticates sets it.
        security_schemes: OpenAPI's, of what calls prove who they are with, by name; the guard adds them at start-up.
        strict: whether a result that is not what its action declares is an error, not a line in the log.
        wake_listeners: called after a job was enqueued that is due now.
        draining: set while the process shuts down.
        drain_deadline: the time of the monotonic clock until which it may take, or None before that.
    """

    def __init__(self, config: Config = CONF) -> None:
        self.config = config
        self.plugins = Plugins(config, hookspecs)
        self._gate = gate = Gate(self.plugins.owner_of)
        self.actions = ActionRegistry()
        self.jobs = JobRegistry()
        self.errors = ErrorTable()
        self.errors.resources_of = self._resources_of
        self.channels: Registry[ChannelFactory] = Registry("channel")
        self.transports: Registry[TransportFactory] = Registry("transport")
        self.workers: Registry[WorkerFactory] = Registry("worker")
        self.stores: Registry[StoreFactory] = Registry("store")
        self.notifier = Notifier(self)
        self.access_log = logs.AccessLog()
        self.pages: StartUpDict[Callable[[Any], Page]] = StartUpDict(
            gate, "page", {"/openapi.json": builtin.openapi_page}
        )
        self.readers: StartUpDict[str] = StartUpDict(gate, "readers of page", {"/openapi.json": "actions_readers"})
        self.outside: StartUpDict[Callable[[Any], Page]] = StartUpDict(gate, "what outsiders read of page")
        self.origins: StartUpList[str] = StartUpList(gate, "origin")
        self.mounts: StartUpDict[Mount] = StartUpDict(gate, "mount")
        self.key_state: Callable[[str], KeyState | None] = no_keys
        self.response_headers: StartUpList[HeaderSource] = StartUpList(gate, "source of response headers")
        self.apis: dict[str, Any] = {}
        self.action_wrappers: StartUpList[Callable[[ActionSpec], ActionSpec]] = StartUpList(gate, "action wrapper")
        self.guard: str | None = None
        self.key_of: Callable[[Request], str] = lambda request: ""
        self.security_schemes: StartUpDict[dict[str, Any]] = StartUpDict(gate, "security scheme")
        self.strict = bool(config.debug)
        self.wake_listeners: StartUpList[Callable[[], None]] = StartUpList(gate, "wake listener")
        self.draining = False
        self.drain_deadline: float | None = None
        self.job_specs: dict[str, JobSpec] = {}
        self._store: JobStore | None = None
        self._store_lock = threading.Lock()
        self._started = False
        self._cipher: Cipher | None = None

    def __setattr__(self, name: str, value: object) -> None:
        if name in _SET_AT_START:
            self._gate.check(name)
        super().__setattr__(name, value)

    # -- start-up ------------------------------------------------------------------------------------------

    def load(self, found: Sequence[Found] | None = None, plugins: Iterable[object] = ()) -> App:
        """Load the installed plugins, fill the registries and freeze them.

        Args:
            found: entry points to take; None discovers the installed ones.
            plugins: plugin objects to register beside them.

        Raises:
            StartupError: one line that says what is wrong; ``plugins.records`` is complete all the same.
        """
        self.plugins.discover(found)
        for plugin in plugins:
            self.plugins.add(plugin)
        self.plugins.add_parts()
        with self.actions.owned_by("densefog"):
            builtin.register(self.actions, lambda: self.store, self._described)
        if self.config.notify_durable:
            with self.jobs.owned_by("densefog"):
                notify_durable.register(self.jobs, self)
        conflicts = [error for record in list(self.plugins.loaded()) if (error := self._register(record))]
        if conflicts:
            raise conflicts[0]
        for channel in self.channels:
            with declared_by(self.config, self.channels.owner(channel)):
                declare_options(self.config, channel)
        check_settings(self.config, self.plugins.records, complete=found is None)
        self.plugins.check()
        loaded = Gate(self.plugins.owner_of)
        loaded.close()
        for registry in self._registries():
            registry.freeze(loaded.check)
        self.job_specs = dict(self.jobs.items())
        self._check_keys()
        return self

    def _check_keys(self) -> None:
        encrypted = next((name for name, spec in self.job_specs.items() if spec.encrypted), None)
        if encrypted is not None and self.cipher() is None:
            owner = self.jobs.owner(encrypted)
            raise ConfigError(f"job {encrypted!r} of {owner} is encrypted, and setting {SETTING} is not set; {REMEDY}")

    def cipher(self) -> Cipher | None:
        """Return what seals and opens the values of encrypted jobs, made when it is first needed; None without keys.

        .. versionadded:: 1.0
        """
        if self._cipher is None:
            self._cipher = configured_cipher(self.config)
        return self._cipher

    def _registries(self) -> tuple[Registry[Any] | ErrorTable, ...]:
        return self.actions, self.jobs, self.errors, self.channels, self.transports, self.workers, self.stores

    def _register(self, record: PluginRecord) -> StartupError | None:
        """Let one plugin fill the registries; when it fails, nothing of it stays."""
        try:
            with ExitStack() as stack:
                for registry in self._registries():
                    stack.enter_context(registry.owned_by(record.found.owner))
                self._call_registrations(record)
        except RegistrationError as exc:
            record.fail("rejected", str(exc), exc)
            return exc
        except Exception as exc:
            if fatal(exc):
                raise
            self.plugins.drop(record, exc)
        return None

    def _call_registrations(self, record: PluginRecord) -> None:
        if record.found.group == ACTIONS:
            register_handlers(self.actions, record, "__densefog_action__")
        elif record.found.group == JOBS:
            register_handlers(self.jobs, record, "__densefog_job__")
        else:
            for what in ("actions", "jobs", "errors", "channels", "transports", "workers", "stores"):
                hook = f"densefog_register_{what}"
                for owner, implementation in self.plugins.implementations(hook):
                    if owner is record:
                        implementation(registry=getattr(self, what))

    def start(self) -> App:
        """Run the start-up hooks; a second call does nothing.

        Raises:
            PluginError: a plugin's ``densefog_startup`` raised.
        """
        if not self._started:
            self._started = True
            self.guard = self.plugins.answers("densefog_authenticate")
            self.plugins.register_core(_Core())
            self._observers = self.plugins.implementations("densefog_job_event")
            self._job_params = self.plugins.implementations("densefog_job_params")
            for record, startup in self.plugins.implementations("densefog_startup"):
                try:
                    startup(app=self)
                except StartupError:
                    raise
                except Exception as exc:
                    raise PluginError(f"{record.found.owner} cannot start: {type(exc).__name__}: {exc}") from exc
            self._gate.close()
        return self

    def shutdown(self) -> None:
        """Run the shutdown hooks, the last plugin first, and close the store."""
        for record, stop in reversed(self.plugins.implementations("densefog_shutdown")):
            guarded(record.found.owner, "to shut down", stop, app=self)
        self.notifier.stop(self._time_to_notify())
        if self._store is not None:
            self._store.close()

    def _time_to_notify(self) -> float:
        if self.drain_deadline is None:
            return float(self.config.drain_timeout)
        return max(self.drain_deadline - time.monotonic(), LAST_NOTICES)

    # -- requests ------------------------------------------------------------------------------------------

    def action_caller(self) -> Callable[[Request, Callable[[Request], Any]], Any]:
        """Return how a handler is called: through the hook when a plugin wraps calls, directly otherwise."""
        hook = self.plugins.hook.densefog_call_action
        if self.plugins.is_wrapped("densefog_call_action"):
            return lambda request, handler: hook(request=request, handler=handler)
        return lambda request, handler: handler(request)

    def authenticator(self) -> Callable[[Request], None] | None:
        """Return what finds out whose request it is, or raises; None where no plugin authenticates."""
        hook = self.plugins.hook.densefog_authenticate
        if self.plugins.answers("densefog_authenticate") is None:
            return None

        def authenticate(request: Request) -> None:
            request.claimed_key = self.key_of(request)
            hook(request=request)

        return authenticate

    def _described(self, api: str) -> Mapping[str, ActionSpec]:
        """Return the actions of an API for the caller of ``DescribeActions``."""
        if self.guard and self.config.actions_readers == "manage" and request.project_id is not None:
            raise ResourceNotBelongsToProject("DescribeActions")
        specs: Mapping[str, ActionSpec] = self.apis[api].specs
        return specs

    def wrapped(self, spec: ActionSpec) -> ActionSpec:
        """Return an action with what plugins put around its call."""
        for wrap in self.action_wrappers:
            spec = wrap(spec)
        return pauses.refusing(refusing(spec), self.job_specs, lambda: self.store.pauses)

    def told(self, error: BaseException) -> str:
        """Return what tenants read of a job's exception; nothing when the error table has no answer of its own."""
        if not isinstance(error, Exception):
            return ""
        answer = self.errors.answer(error, map_error=self.map_error)
        return "" if answer.ret_code == INTERNAL_CODE else answer.message

    def map_error(self, error: Exception) -> Exception | None:
        """Ask the plugins what an exception means that no class in the error table covers."""
        answer: Exception | None = self.plugins.hook.densefog_map_error(error=error)
        return answer

    # -- jobs ----------------------------------------------------------------------------------------------

    @property
    def store(self) -> JobStore:
        """The job store that ``CONF.store`` names, made when it is first needed."""
        if self._store is None:
            with self._store_lock:
                if self._store is None:
                    store = self.pick(self.stores, self.config.store)(self)
                    store.on_enqueued = self._wake
                    store.last_failures = {
                        name: self._opening(spec.on_last_failure)
                        for name, spec in self.job_specs.items()
                        if spec.on_last_failure
                    }
                    self._store = store
        return self._store

    def opened(self, job: Job) -> Job:
        """Return a job of the store with its params and its result as they were before they were encrypted.

        Raises:
            Unreadable: no key of setting ``secret_keys`` opens them.

        .. versionadded:: 1.0
        """
        return opened(job, self.cipher)

    def _opening(self, function: Callable[[Job], object]) -> Callable[[Job], object]:
        def call(job: Job) -> object:
            # Without the key it still knows the resources, which must not stay as they are.
            with suppress(Unreadable):
                job = self.opened(job)
            return function(job)

        return call

    def _resources_of(self, job_id: str) -> list[str]:
        job = self.store.get(job_id)
        return [] if job is None else job.resource_ids

    def _wake(self) -> None:
        for listener in self.wake_listeners:
            listener()

    def enqueue(self, action: str, params: Mapping[str, Any] | None = None, **options: Any) -> str:  # noqa: ANN401
        """Enqueue a job in this application; see `densefog_core.enqueue`."""
        return self.store.enqueue([self.new_job(action, params, **options)])[0]

    def new_job(self, action: str, params: Mapping[str, Any] | None = None, **options: Any) -> Job:  # noqa: ANN401
        """Return the record of a new job, with what plugins add to its params; see `densefog_core.enqueue`."""
        beside: dict[str, Any] = {}
        for _, more in self._job_params:
            beside |= more(action=action) or {}
        return new_job(self.job_specs, action, params, beside=beside, cipher=self.cipher, **options)

    def call_job(self, running: RunningJob, handler: Callable[[RunningJob], Any]) -> Any:  # noqa: ANN401
        """Run a job's handler, through the hook when a plugin wraps it."""
        if self.plugins.is_wrapped("densefog_call_job"):
            return self.plugins.hook.densefog_call_job(job=running, handler=handler)
        return handler(running)

    def emit(self, event: JobEvent) -> None:
        """Tell observers and channels what happened to a job; never raises."""
        with hiding(event.exception):
            tell(self._observers, event, f"{event.kind} of {event.job.id}")
            self.notifier.handle(event)

    # -- the rest ------------------------------------------------------------------------------------------

    def pick(self, registry: Registry[Any], name: str) -> Any:  # noqa: ANN401
        """Return what the configuration names.

        Raises:
            RegistrationError: nothing has that name; says so, and why a plugin of that name is not loaded.
        """
        try:
            return registry.get(name)
        except RegistrationError as exc:
            raise RegistrationError(f"{exc}{self.plugins.explain(name)}") from None

    def health(self, kind: str) -> dict[str, str | None]:
        """Return every check's name with None when well, or with what is wrong.

        Args:
            kind: ``live`` or ``ready``; nothing is ready while the process drains.
        """
        checks: dict[str, str | None] = {}
        if kind == "ready":
            checks["draining"] = "shutting down" if self.draining else None
        for record, check in self.plugins.implementations("densefog_health"):
            found, error = attempt(_mapping, check, kind=kind)
            checks |= {record.name: f"{type(error).__name__}: {text_of(error)}"} if error else found or {}
        return checks

    def gauges(self) -> dict[str, float]:
        """Return the figures of this process that its plugins measure."""
        figures: dict[str, float] = {}
        for record, measure in self.plugins.implementations("densefog_gauges"):
            figures |= guarded(record.found.owner, "to measure itself", _mapping, measure, app=self) or {}
        return figures


def register_handlers(registry: ActionRegistry | JobRegistry, record: PluginRecord, mark: str) -> None:
    """Register what an entry point of actions or jobs names, in any of its three forms.

    A function is registered under the entry point's name, a mapping under its keys, and of a module the functions that
    carry the mark.

    Raises:
        RegistrationError: it is none of these, or holds nothing.
    """
    value = record.plugin
    if isinstance(value, ModuleType):
        marked = [one for one in vars(value).values() if callable(one) and hasattr(one, mark)]
        home = value.__name__.partition(".")[0]
        handlers = [(getattr(one, mark)[0], one) for one in marked if one.__module__.partition(".")[0] == home]
    elif isinstance(value, Mapping):
        handlers = list(value.items())
    elif callable(value):
        handlers = [(record.name, value)]
    else:
        raise RegistrationError(f"{record.found.owner}: {record.found.value} is no function, mapping or module")
    if not handlers:
        raise RegistrationError(f"{record.found.owner}: there is no {registry.kind} in {record.found.value}")
    for name, handler in handlers:
        registry.add(name, handler)

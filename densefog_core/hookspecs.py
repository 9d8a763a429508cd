"""Every hook that densefog calls. The docstrings here are the reference.

How they change: an argument can be added at any time, because an implementation is given only what it asks for. One
that is to go is named in ``@hookspec(warn_on_impl_args={"name": DeprecationWarning("what to use instead")})`` for one
minor version before; whoever asks for it is warned when the plugin is registered. What else changes raises
``API_VERSION``, and a plugin that says ``DENSEFOG_API = 1`` is not loaded by a densefog of another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from densefog_core.plugins.markers import hookspec

if TYPE_CHECKING:
    import click

    from densefog_core.actions.handlers import ActionRegistry
    from densefog_core.actions.records import Request, RequestEvent
    from densefog_core.actions.transports import TransportFactory
    from densefog_core.app import App, StoreFactory
    from densefog_core.config import Config
    from densefog_core.counting import Counter
    from densefog_core.errors import ErrorTable
    from densefog_core.jobs import JobEvent, JobRegistry
    from densefog_core.jobs.tries import RunningJob
    from densefog_core.jobs.workers import WorkerFactory
    from densefog_core.notify import ChannelFactory
    from densefog_core.registry import Registry


@hookspec(historic=True)
def densefog_configure(config: Config) -> None:
    """Declare and check the plugin's own settings.

    Called once, right after the plugin is registered and before the next plugin is imported.

    Args:
        config: ``CONF``; ``config.declare(Setting(...))`` adds a setting.

    Raises:
        ConfigError: stops start-up with its message.

    Example:
        >>> class Metered:
        ...     @hookimpl
        ...     def densefog_configure(self, config):
        ...         config.declare(Setting(name="meter_url", plugin="meter", default="http://127.0.0.1:9"))
        >>> make_app(Metered()).config.meter_url
        'http://127.0.0.1:9'
    """


@hookspec
def densefog_parts(config: Config) -> Iterable[object] | None:
    """Return further plugin objects, which take part because the settings ask for them.

    Called once at start-up, when every plugin's settings are declared. A wrapper that is registered costs something in
    each call even when it does nothing; one that nobody asked for is not registered, and what it needs not imported.

    Args:
        config: the settings.

    Returns:
        Objects with ``@hookimpl`` methods; they belong to the plugin that returns them.

    Raises:
        MissingDependency: stops start-up: what the settings ask for needs a package that is not installed.

    Example:
        >>> class Wrapper:
        ...     @hookimpl(wrapper=True)
        ...     def densefog_call_action(self, request, handler):
        ...         return {**(yield), "wrapped": True}
        >>> class Optional:
        ...     @hookimpl
        ...     def densefog_parts(self, config):
        ...         return [Wrapper()] if config.debug else []
        >>> make_app(Optional(), actions={"Ping": lambda: {}}, debug=True).api().call("Ping")
        {'wrapped': True}
        >>> make_app(Optional(), actions={"Ping": lambda: {}}).plugins.is_wrapped("densefog_call_action")
        False
    """


@hookspec
def densefog_register_actions(registry: ActionRegistry) -> None:
    """Register actions that an API serves.

    Called once at start-up. An application rather uses the ``densefog.actions`` entry point.

    Args:
        registry: ``registry.add("DescribeVolumes", handler, api="public", schema=...)``; ``registry.replace`` takes the
            place of another plugin's action.

    Example:
        >>> class Pinger:
        ...     @hookimpl
        ...     def densefog_register_actions(self, registry):
        ...         registry.add("Ping", lambda: {"pong": True})
        >>> make_app(Pinger()).api("public").call("Ping")
        {'pong': True}
    """


@hookspec
def densefog_register_jobs(registry: JobRegistry) -> None:
    """Register job handlers.

    Called once at start-up. An application rather uses the ``densefog.jobs`` entry point.

    Args:
        registry: ``registry.add("CreateVolumes", handler, try_max=3, try_period=600, timeout=None)``.

    Example:
        >>> class Sweeper:
        ...     @hookimpl
        ...     def densefog_register_jobs(self, registry):
        ...         registry.add("Sweep", lambda params: params["room"], try_max=5)
        >>> make_app(Sweeper()).job_specs["Sweep"].try_max
        5
    """


@hookspec
def densefog_register_errors(registry: ErrorTable) -> None:
    """Say how exceptions that densefog does not know are answered.

    Called once at start-up. The most specific class of an exception's MRO wins.

    Args:
        registry: ``registry.add(SomeException, code=5001, message=..., data=callable or None)``.

    Example:
        >>> class Polite:
        ...     @hookimpl
        ...     def densefog_register_errors(self, registry):
        ...         registry.add(ZeroDivisionError, code=4100, message="cannot divide by zero")
        >>> app = make_app(Polite(), actions={"Divide": lambda: 1 / 0})
        >>> app.api("public").post({"action": "Divide"})["retCode"]
        4100
    """


@hookspec
def densefog_register_channels(registry: Registry[ChannelFactory]) -> None:
    """Register notify channels.

    Called once at start-up; a channel's factory is called when the worker starts.

    Args:
        registry: ``registry.add("slack", factory)``; ``factory(config)`` returns a `Channel`, or None when its
            settings are absent.

    Example:
        >>> class Pager:
        ...     @hookimpl
        ...     def densefog_register_channels(self, registry):
        ...         registry.add("pager", lambda config: None)
        >>> "pager" in make_app(Pager()).channels
        True
    """


@hookspec
def densefog_register_transports(registry: Registry[TransportFactory]) -> None:
    """Register transports: what carries requests to an API. ``CONF.transport`` names the one that is used.

    Called once at start-up; the factory is called with the `Api` that is to be served.

    Args:
        registry: ``registry.add("wsgi", factory)``.

    Example:
        >>> class Pigeons:
        ...     @hookimpl
        ...     def densefog_register_transports(self, registry):
        ...         registry.add("pigeon", lambda api: None)
        >>> "pigeon" in make_app(Pigeons()).transports
        True
    """


@hookspec
def densefog_register_workers(registry: Registry[WorkerFactory]) -> None:
    """Register workers: what runs jobs. ``CONF.worker`` names the one that is used.

    Called once at start-up; the factory is called with the `App` and the arguments of ``create_worker``.

    Args:
        registry: ``registry.add("gevent", factory)``.

    Example:
        >>> class Hands:
        ...     @hookimpl
        ...     def densefog_register_workers(self, registry):
        ...         registry.add("hands", lambda app, **options: None)
        >>> "hands" in make_app(Hands()).workers
        True
    """


@hookspec
def densefog_register_stores(registry: Registry[StoreFactory]) -> None:
    """Register job stores. ``CONF.store`` names the one that is used.

    Called once at start-up; the factory is called with the `App` when a job is first enqueued or fetched.

    Args:
        registry: ``registry.add("models", factory)``.

    Example:
        >>> class Shoebox:
        ...     @hookimpl
        ...     def densefog_register_stores(self, registry):
        ...         registry.add("shoebox", lambda app: None)
        >>> "shoebox" in make_app(Shoebox()).stores
        True
    """


@hookspec
def densefog_register_commands(group: click.Group) -> None:
    """Add commands below ``densefog``.

    Called when the command line starts, after the built-in commands are there.

    Args:
        group: the click group; ``group.add_command(...)`` or ``@group.command()``.

    Example:
        >>> class Greeter:
        ...     @hookimpl
        ...     def densefog_register_commands(self, group):
        ...         group.add_command(click.Command("hello", callback=lambda: click.echo("hello")))
        >>> group = click.Group("densefog")
        >>> _ = make_app(Greeter()).plugins.hook.densefog_register_commands(group=group)
        >>> list(group.commands)
        ['hello']
    """


@hookspec(firstresult=True)
def densefog_map_error(error: Exception) -> Exception | None:
    """Translate an exception that no class in the error table covers.

    Called when such an exception leaves a handler; the first answer that is not None counts.

    Args:
        error: what the handler raised.

    Returns:
        One of densefog's own exceptions, which is then answered as usual, or None.

    Example:
        >>> class Translator:
        ...     @hookimpl
        ...     def densefog_map_error(self, error):
        ...         if "no such volume" in str(error):
        ...             return iaas_error.ResourceNotFound("vol-1")
        >>> def handler():
        ...     raise LookupError("no such volume")
        >>> app = make_app(Translator(), actions={"Find": handler})
        >>> app.api("public").post({"action": "Find"})["retCode"]
        4104
    """


@hookspec(firstresult=True)
def densefog_authenticate(request: Request) -> bool | None:
    """Find out who calls, and set ``request.project_id`` and ``request.access_key``.

    Called for each request before its action is looked up, when at least one plugin implements it. The first plugin
    that returns True has let the caller in; when none does, the call is refused with 4101. Wrap it with
    ``@hookimpl(wrapper=True)`` to count failures or to limit them.

    Args:
        request: the call; ``request.headers``, ``request.body``, ``request.host`` and ``request.path`` are as the
            client sent them. ``request.params`` is empty when the body is not JSON.

    Returns:
        True when the caller is known, None when the request carries nothing that this plugin knows.

    Raises:
        AccessKeyInvalid: the caller is not who it says. Any of densefog's exceptions is answered as usual.

    Example:
        >>> class Tokens:
        ...     @hookimpl
        ...     def densefog_authenticate(self, request):
        ...         if request.headers.get("Authorization") == "Bearer let-me-in":
        ...             request.project_id = "acme"
        ...             return True
        >>> api = make_app(Tokens(), actions={"Ping": lambda: {"pong": True}}).api()
        >>> api.post({"action": "Ping"})["retCode"], api.post({"action": "Steal"})["retCode"]
        (4101, 4101)
        >>> api.post({"action": "Ping"}, Authorization="Bearer let-me-in")["data"]
        {'pong': True}

    .. versionadded:: 1.0
    """


@hookspec(firstresult=True)
def densefog_call_action(request: Request, handler: Callable[[Request], Any]) -> Any:  # noqa: ANN401
    """Run an action's handler; wrap it with ``@hookimpl(wrapper=True)`` to act around every call.

    Called for each request, when at least one plugin implements it. The core's own implementation, which runs the
    handler, comes last.

    Args:
        request: the call; middleware may set attributes such as ``request.project_id``.
        handler: takes the request and returns the reply's ``data``.

    Returns:
        The reply's ``data``.

    Example:
        >>> class Counter:
        ...     calls = 0
        ...     @hookimpl(wrapper=True)
        ...     def densefog_call_action(self, request, handler):
        ...         Counter.calls += 1
        ...         return (yield)
        >>> app = make_app(Counter(), actions={"Ping": lambda: {"pong": True}})
        >>> app.api("public").call("Ping"), Counter.calls
        ({'pong': True}, 1)
    """


@hookspec
def densefog_request_event(event: RequestEvent) -> None:
    """Observe how calls of actions were answered.

    Called after each call, when at least one plugin implements it; also for calls that no handler saw, because
    the action is unknown or the body is wrong. An observer that raises is logged with its plugin's name.

    Args:
        event: ``event.request``, ``event.action``, ``event.ret_code``, ``event.seconds``, ``event.size``; fields may
            be added.

    Example:
        >>> class Auditor:
        ...     seen = []
        ...     @hookimpl
        ...     def densefog_request_event(self, event):
        ...         Auditor.seen.append((event.action, event.ret_code))
        >>> _ = make_app(Auditor()).api("public").post({"action": "Steal"})
        >>> Auditor.seen
        [(None, 4000)]
    """


@hookspec(firstresult=True)
def densefog_call_job(job: RunningJob, handler: Callable[[RunningJob], Any]) -> Any:  # noqa: ANN401
    """Run a job's handler; wrap it as `densefog_call_action` is wrapped.

    Called for each try of a job, when at least one plugin implements it.

    Args:
        job: the try; ``job.job`` is its record.
        handler: takes the try and returns the job's result.

    Returns:
        The job's result, JSON.

    Example:
        >>> class Shouter:
        ...     @hookimpl(wrapper=True)
        ...     def densefog_call_job(self, job, handler):
        ...         return (yield).upper()
        >>> app = make_app(Shouter(), jobs={"Greet": lambda params: "hello"})
        >>> job_id = app.enqueue("Greet")
        >>> app.run_jobs(), app.store.get(job_id).result
        (1, 'HELLO')
    """


@hookspec
def densefog_job_params(action: str) -> Mapping[str, Any] | None:
    """Add to the params of a job that is being enqueued; they are stored in its row and come back with each try.

    Called in the request or job that enqueues it.

    Args:
        action: the job's.

    Returns:
        Members to add, or None; begin their names with ``_``, so that they are nobody else's.

    Example:
        >>> class Origin:
        ...     @hookimpl
        ...     def densefog_job_params(self, action):
        ...         return {"_origin": "moon"}
        >>> app = make_app(Origin(), jobs={"Greet": lambda params: params["_origin"]})
        >>> app.store.get(app.enqueue("Greet", {"name": "Ada"})).params
        {'name': 'Ada', '_origin': 'moon'}
    """


@hookspec
def densefog_job_event(event: JobEvent) -> None:
    """Observe what happens to jobs.

    Called after the job's row was written (``started``: before its handler runs). An observer that raises is logged
    with its plugin's name; neither the job nor other observers notice.

    Args:
        event: ``event.kind``, ``event.job``, ``event.error``; fields may be added.

    Example:
        >>> class Watcher:
        ...     seen = []
        ...     @hookimpl
        ...     def densefog_job_event(self, event):
        ...         Watcher.seen.append(event.kind)
        >>> app = make_app(Watcher(), jobs={"Greet": lambda params: "hello"})
        >>> _ = app.enqueue("Greet")
        >>> app.run_jobs(), Watcher.seen
        (1, ['started', 'finished'])
    """


@hookspec
def densefog_startup(app: App) -> None:
    """Do what needs the whole application: every registry is complete and frozen.

    Called once, before the first request or job. An exception stops start-up.

    Args:
        app: the application.

    Example:
        >>> class Starter:
        ...     @hookimpl
        ...     def densefog_startup(self, app):
        ...         Starter.actions = sorted(app.actions)
        >>> _ = make_app(Starter(), actions={"Ping": lambda: {}})
        >>> "public/Ping" in Starter.actions
        True
    """


@hookspec
def densefog_shutdown(app: App) -> None:
    """Let go of what `densefog_startup` took, in the reverse order of the plugins.

    Called once, after the last request and job. An exception is logged.

    Args:
        app: the application.

    Example:
        >>> class Stopper:
        ...     stopped = False
        ...     @hookimpl
        ...     def densefog_shutdown(self, app):
        ...         Stopper.stopped = True
        >>> make_app(Stopper()).shutdown()
        >>> Stopper.stopped
        True
    """


@hookspec
def densefog_health(kind: str) -> Mapping[str, str | None] | None:
    """Check what the service stands on.

    Called when a monitor asks.

    Args:
        kind: ``live``, whether the process should go on; ``ready``, whether it should get work.

    Returns:
        Names of checks to None when well, or to one line that says what is wrong.

    Example:
        >>> class Disk:
        ...     @hookimpl
        ...     def densefog_health(self, kind):
        ...         return {"disk": None if kind == "live" else "full"}
        >>> make_app(Disk()).health("ready")["disk"]
        'full'
    """


@hookspec
def densefog_gauges(app: App) -> Mapping[str, float] | None:
    """Return figures that go up and down, such as connections in use.

    Called every few seconds when metrics are on; it must not wait for anything.

    Args:
        app: the application.

    Returns:
        Figures of this process by name, in lower case with the unit at the end.

    Example:
        >>> class Tank:
        ...     @hookimpl
        ...     def densefog_gauges(self, app):
        ...         return {"tank_litres": 12.5}
        >>> make_app(Tank()).gauges()
        {'tank_litres': 12.5}
    """


@hookspec
def densefog_tables(app: App) -> Iterable[Any] | None:
    """Return the tables that the plugin has in the application's database, whether its settings use them or not.

    Called once, when the database is opened: migrations must know a table that another shell's settings have switched
    on, or they would drop it.

    Args:
        app: the application.

    Returns:
        SQLAlchemy's ``Table`` objects, of a ``MetaData`` of the plugin's own: a table of the same name that the
        application declares wins.

    Example:
        >>> from sqlalchemy import Column, MetaData, String, Table
        >>> note = Table("note", MetaData(), Column("id", String(32), primary_key=True))
        >>> class Notes:
        ...     @hookimpl
        ...     def densefog_tables(self, app):
        ...         return [note]
        >>> app = make_app(Notes())
        >>> [tables(app=app) == [note] for _, tables in app.plugins.implementations("densefog_tables")]
        [True]
    """


@hookspec(firstresult=True)
def densefog_make_counter(app: App) -> Counter | None:
    """Make what counts across all processes of the service, in a database that they share.

    Called at start-up by the plugin that needs one; the first answer that is not None counts.

    Args:
        app: the application.

    Returns:
        The counter, or None.

    Example:
        >>> class Tally:
        ...     def add(self, key, lifetime):
        ...         return 1
        >>> class Tallies:
        ...     @hookimpl
        ...     def densefog_make_counter(self, app):
        ...         return Tally()
        >>> app = make_app(Tallies())
        >>> app.plugins.hook.densefog_make_counter(app=app).add("visits", 60)
        1
    """

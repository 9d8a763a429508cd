"""What a setting is: its name, its type, how its value is read; and the settings of the core."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Any

from densefog_core.errors import ConfigError


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("expected true or false")


def _names(value: object) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ValueError("expected names separated by commas")
    return [name for name in (str(item).strip() for item in items) if name]


def _integer(value: object) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("expected a whole number")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _number(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _text(value: object) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


#: How a setting's value is read from the text of the environment or the value in the file.
_READERS: dict[type, Callable[[object], Any]] = {
    bool: _boolean,
    int: _integer,
    float: _number,
    str: _text,
    list: _names,
}


#: Who may read a page where calls are authenticated: everybody, whoever has a key, or those who act for no project.
READERS = ("anyone", "key", "manage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One declared setting.

    Attributes:
        name: the attribute of ``CONF``.
        type: ``str``, ``int``, ``float``, ``bool`` or ``list`` (of names, a comma list in the environment). Without it
            that of the default, or ``str``.
        default: the value when nothing sets it.
        env: environment variables, the first that is set counts; ``DENSEFOG_<NAME>`` always follows them.
        aliases: other names that `Config.apply` and the file take.
        minimum: least number allowed.
        choices: the only values allowed.
        option: the option of ``densefog-serve`` that sets it, too.
        plugin: the plugin it belongs to; ``slack_webhook_url`` of plugin ``slack`` is ``webhook_url`` below
            ``[plugins.slack]`` in the file.
        secret: its value is never shown.
        help: one sentence for the reference.
    """

    name: str
    type: type = NoneType
    default: Any = None
    env: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    minimum: float | None = None
    choices: tuple[str, ...] = ()
    option: str = ""
    plugin: str | None = None
    secret: bool = False
    help: str = ""

    def __post_init__(self) -> None:
        if self.type is NoneType:
            kind = str if self.default is None else type(self.default)
            object.__setattr__(self, "type", list if kind is tuple else kind)
        if self.type not in _READERS:
            kinds = ", ".join(kind.__name__ for kind in _READERS)
            raise ConfigError(f"setting {self.name}: its type is {self.type.__name__}; it must be one of {kinds}")

    @property
    def environment(self) -> tuple[str, ...]:
        """Names of the environment variables, in the order in which they count."""
        return tuple(dict.fromkeys((*self.env, f"DENSEFOG_{self.name.upper()}")))

    def read(self, value: object, source: str) -> Any:  # noqa: ANN401
        """Return ``value`` as the setting's type.

        Args:
            value: what was given; None stays None.
            source: where it was given, for the message.

        Raises:
            ConfigError: it is not of that type or out of range.
        """
        if value is None:
            return None
        shown = "the value" if self.secret else repr(value)
        try:
            result = _READERS[self.type](value)
        except (TypeError, ValueError):
            kind = {list: "names separated by commas", bool: "true or false"}.get(self.type, self.type.__name__)
            raise ConfigError(f"setting {self.name} ({source}): {shown} is not {kind}") from None
        if self.minimum is not None and result < self.minimum:
            raise ConfigError(f"setting {self.name} ({source}): {shown} is less than {self.minimum:g}")
        if self.choices and result not in self.choices:
            raise ConfigError(f"setting {self.name} ({source}): {shown} is none of {', '.join(self.choices)}")
        return result


CORE_SETTINGS = (
    Setting(name="app_root", option="--app-root", help="The application's folder; added to sys.path."),
    Setting(name="log_dir", env=("LOG_DIR",), aliases=("log_path",), option="--log-dir",
            help="Folder of the log files; - is stderr."),
    Setting(name="log_format", default="text", choices=("text", "json"), help="One line of text or JSON an entry."),
    Setting(name="debug", default=False, env=("DEBUG",), option="--debug",
            help="Tracebacks in replies; never in production."),
    Setting(name="gevent", type=bool, default=False, help="Make the standard library cooperative (monkey patching)."),
    Setting(name="http_status", default="ok", choices=("ok", "map"), help="Errors as HTTP 200, or as real statuses."),
    Setting(name="allowed_hosts", type=list, default=[],
            help="Names beside this machine's that an API without authentication answers to; .example.com for all "
                 "below it, * for every name."),
    Setting(name="actions_readers", default="key", choices=READERS,
            help="Who may read /openapi.json and call DescribeActions where calls are authenticated: anyone (of the "
                 "page only), callers with a key, or those who manage."),
    Setting(name="body_members", default=10_000, minimum=1,
            help="Members that all objects of a request's body may have together."),
    Setting(name="body_elements", default=50_000, minimum=1,
            help="Elements that all arrays of a request's body may have together."),
    Setting(name="secret_keys", type=list, default=[], secret=True,
            help="Fernet keys that secrets of access keys, and encrypted jobs, are sealed with; the first seals."),
    Setting(name="secret_keys_file", help="File of further such keys, one a line."),
    Setting(name="trusted_proxies", type=list, default=[], help="Addresses or networks whose X-Forwarded-For counts."),
    Setting(name="transport", default="wsgi", help="The transport plugin that serves APIs."),
    Setting(name="worker", default="gevent", help="The worker plugin that runs jobs."),
    Setting(name="store", default="models", help="The store plugin that keeps jobs."),
    Setting(name="db_host", env=("DB_HOST",), help="MySQL or MariaDB server; unset takes SQLite in app_root."),
    Setting(name="db_port", type=int, default=3306, env=("DB_PORT",), minimum=1, help="Its TCP port."),
    Setting(name="db_user", env=("DB_USER",), help="Its user."),
    Setting(name="db_password", env=("DB_PASSWORD",), secret=True, help="The user's password."),
    Setting(name="db_database", env=("DB_DATABASE",), help="The database's name."),
    Setting(name="db_url", env=("DB_URL",), secret=True, help="A SQLAlchemy URL; wins over the five above."),
    Setting(name="db_lock_timeout", type=int, default=10, minimum=1,
            help="Seconds that a statement waits for a lock."),
    Setting(name="db_pool_size", type=int, default=20, minimum=1,
            help="Connections that a process keeps for actions, jobs and pages; as many again may be open a while."),
    Setting(name="db_prepared", default="auto", choices=("auto", "on", "off"),
            help="Prepare PostgreSQL's statements; auto does unless a pooler such as PgBouncer is found in between."),
    Setting(name="hide_foreign_resources", type=bool, default=False,
            help="Answer another project's resource like one that does not exist (4104), so that none can probe ids."),
    Setting(name="pick_size", type=int, default=10, env=("WORKER_PICK_SIZE",), minimum=1, help="Jobs a claim takes."),
    Setting(name="exec_size", type=int, default=10, env=("WORKER_EXEC_SIZE",), minimum=1, help="Jobs run at once."),
    Setting(name="exec_timeout", type=float, default=600.0, env=("WORKER_EXEC_TIMEOUT",), minimum=0.1,
            help="Seconds a try may take."),
    Setting(name="poll_interval", type=float, default=2.0, env=("WORKER_POLL_INTERVAL",), minimum=0.05,
            help="Most seconds between polls of an idle worker."),
    Setting(name="worker_only", type=list, default=[], env=("WORKER_ONLY",), option="--only",
            help="Actions whose jobs a worker runs, and no others; unset runs all."),
    Setting(name="worker_except", type=list, default=[], env=("WORKER_EXCEPT",), option="--except",
            help="Actions whose jobs a worker leaves to others."),
    Setting(name="lease", type=float, default=60.0, env=("WORKER_LEASE",), minimum=4,
            help="Seconds without a heartbeat after which a job is taken from its worker."),
    Setting(name="job_retention", type=float, default=None, env=("WORKER_JOB_RETENTION",), minimum=60,
            help="Seconds after which ended jobs are deleted; unset keeps them."),
    Setting(name="drain_timeout", type=float, default=30.0, env=("DRAIN_TIMEOUT",), minimum=0,
            help="Seconds that running requests and jobs get at shutdown."),
    Setting(name="drain_delay", type=float, default=0.0, env=("DRAIN_DELAY",), minimum=0,
            help="Seconds before that in which an API answers but is not ready, so that load balancers notice."),
    Setting(name="notify_channels", type=list, env=("NOTIFY_CHANNELS",), help="Channels that are told of failed jobs."),
    Setting(name="notify_allow_http", type=bool, default=False, env=("NOTIFY_ALLOW_HTTP",),
            help="Let channels send to http addresses."),
    Setting(name="notify_rate", type=int, default=5, env=("NOTIFY_RATE",), minimum=0,
            help="Notices a minute to each channel, the rest is counted in a digest; 0 sends every one."),
    Setting(name="notify_window", type=float, default=60.0, env=("NOTIFY_WINDOW",), minimum=0,
            help="Seconds within which the same failure is told once and then counted."),
    Setting(name="notify_durable", type=bool, default=False, env=("NOTIFY_DURABLE",),
            help="Tell of last failures from the job table, so that a crash loses no notice."),
    Setting(name="enabled_plugins", type=list, env=("DENSEFOG_PLUGINS",),
            help="The only plugins of other distributions that are loaded; unset loads all installed ones."),
    Setting(name="disabled_plugins", type=list, default=[], env=("DENSEFOG_DISABLE_PLUGINS",),
            help="Plugins that are not imported."),
    Setting(name="required_plugins", type=list, default=[], help="Plugins without which start-up stops."),
    Setting(name="strict_plugins", default=False, option="--strict-plugins",
            help="Any plugin that is not loaded stops start-up."),
    Setting(name="allow_unknown_settings", default=False, option="--allow-unknown-settings",
            help="Start although something is set that nobody declares, for the time of an upgrade."),
)

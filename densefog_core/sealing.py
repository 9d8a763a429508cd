"""Texts that only holders of a key can read: secrets of access keys, and the values of encrypted jobs.

The keys are no part of the database: who reads its tables, or a backup of them, learns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from densefog_core.errors import ConfigError
from densefog_core.errors.iaas_error import Unreadable
from densefog_core.plugins.needs import MissingDependency, require

if TYPE_CHECKING:
    from densefog_core.config import Config

#: What the setting is called, and how a key is made.
SETTING = "secret_keys"
REMEDY = (
    "make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
)
#: Opened texts that `Cipher.remembered` keeps: to open one costs as much as a query.
REMEMBERED = 1024


class Cipher:
    """Seals texts with the first key, and opens what any of them has sealed.

    Args:
        keys: Fernet keys: 32 bytes as URL-safe base64.

    Raises:
        ConfigError: one is none, or the package that encrypts is not installed.

    .. versionadded:: 1.0
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            require("cryptography.fernet", extra="densefog[auth]")
        except MissingDependency as exc:
            raise ConfigError(f"setting {SETTING} is set, and {exc}") from None
        # Imported here: whoever seals nothing needs no cryptography.
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet

        fernets = []
        for number, key in enumerate(keys, 1):
            try:
                fernets.append(Fernet(key))
            except ValueError:
                raise ConfigError(f"setting {SETTING}: key {number} is no Fernet key; {REMEDY}") from None
        self._fernet = MultiFernet(fernets)
        self._invalid = InvalidToken
        self.remembered = lru_cache(REMEMBERED)(self.open)

    def seal(self, text: str) -> str:
        """Return the text sealed, in characters of URL-safe base64, a third longer and 100 characters more."""
        return self._fernet.encrypt(text.encode()).decode()

    def renew(self, sealed: str) -> str:
        """Return the same, sealed with the first key.

        Raises:
            Unreadable: no key opens it.
        """
        try:
            return self._fernet.rotate(sealed).decode()
        except self._invalid:
            raise Unreadable from None

    def open(self, sealed: str) -> str:
        """Return what `seal` was given.

        Raises:
            Unreadable: no key opens it.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except self._invalid:
            raise Unreadable from None


def configured_cipher(config: Config) -> Cipher | None:
    """Return the cipher of the settings ``secret_keys`` and ``secret_keys_file``, None when neither is set.

    Raises:
        ConfigError: a key is none, or the file cannot be read.
    """
    keys = list(config.secret_keys)
    if config.secret_keys_file:
        keys += read_keys(Path(config.secret_keys_file))
    return Cipher(keys) if keys else None


def read_keys(path: Path) -> list[str]:
    """Return the keys of a file, one a line; empty lines and lines that begin with ``#`` do not count.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"setting {SETTING}_file: cannot read {path}: {why}") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]

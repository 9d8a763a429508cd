"""What seals the secrets of access keys: the keys of the settings, or else a file beside the application."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from weakref import WeakKeyDictionary

from densefog_core.app import App
from densefog_core.errors.iaas_error import Unreadable
from densefog_core.plugins.needs import MissingDependency, require
from densefog_core.sealing import Cipher, configured_cipher, read_keys

#: The file in ``app_root`` that is made when a key is needed and no setting names one.
KEY_FILE = "densefog.keys"


class Sealer:
    """Seals with, and opens by, the keys of one application."""

    def __init__(self, app: App) -> None:
        self._configured = configured_cipher(app.config)
        self._path = Path(app.config.app_root or ".") / KEY_FILE
        self._local: Cipher | None = None

    def seal(self, text: str) -> str | None:
        """Return the text sealed, or None where nothing can be: without ``cryptography``, or in a read-only folder."""
        if self._configured is None and self._from_file() is None:
            self._make_file()
        cipher = self._configured or self._from_file()
        return None if cipher is None else cipher.seal(text)

    def open(self, sealed: str) -> str:
        """Return a text that was sealed.

        Raises:
            Unreadable: no key opens it.
        """
        return self._cipher().remembered(sealed)

    def renew(self, sealed: str) -> str:
        """Return the same, sealed with the first key.

        Raises:
            Unreadable: no key opens it.
        """
        if self._configured is not None and (local := self._from_file()) is not None:
            # The setting came later than the file.
            with suppress(Unreadable):
                return self._configured.seal(local.open(sealed))
        return self._cipher().renew(sealed)

    def _cipher(self) -> Cipher:
        cipher = self._configured or self._from_file()
        if cipher is None:
            raise Unreadable
        return cipher

    def _from_file(self) -> Cipher | None:
        if self._local is None and self._path.exists() and (keys := read_keys(self._path)):
            self._local = Cipher(keys)
        return self._local

    def _make_file(self) -> None:
        try:
            require("cryptography.fernet", extra="densefog[auth]")
        except MissingDependency:
            return
        # Another process may make it at the same time: the first one's counts, and nobody reads half of one. In a
        # folder that takes no file no key is made.
        with suppress(OSError), NamedTemporaryFile("w", dir=self._path.parent) as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n")
            file.flush()
            os.link(file.name, self._path)


_sealers: WeakKeyDictionary[App, Sealer] = WeakKeyDictionary()


def sealer(app: App) -> Sealer:
    """Return the sealer of an application, made when it is first needed."""
    if app not in _sealers:
        _sealers[app] = Sealer(app)
    return _sealers[app]

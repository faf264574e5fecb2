"""Passwords of databases: encrypted with the key of the environment, and good for the one place they were given for."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crm.errors import ClienteleError, UnsafeSetting

_PURPOSE = b"clientele: passwords of connections"

Place = Mapping[str, Any]
"""Where a password is shown: driver, host, port, username and so on, as plain values."""


class Keys:
    """The keys of the setting `secret_key`: the first encrypts, all decrypt."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([_fernet(key) for key in keys]) if keys else None

    @property
    def can_save(self) -> bool:
        """Whether a password can be kept: a key is set."""
        return self._fernet is not None

    def hide(self, password: str, *, place: Place) -> str:
        """Return a password encrypted, good for `place` alone. Raises UnsafeSetting when no key is set."""
        if self._fernet is None:
            raise UnsafeSetting(
                "The password cannot be saved: there is no key to encrypt it with.",
                "Connect without saving the password, or let your administrator set CLIENTELE_SECRET_KEY.",
            )
        text = json.dumps([password, _text(place)])
        return self._fernet.encrypt(text.encode()).decode()

    def reveal(self, hidden: str, *, place: Place) -> str:
        """Return a password that `hide` encrypted for this very place.

        Raises ClienteleError when the key is another, or the place: who may change a connection's host
        would otherwise have the password sent to his own.
        """
        try:
            if self._fernet is None:
                raise InvalidToken
            password, of = json.loads(self._fernet.decrypt(hidden.encode()))
        except (InvalidToken, ValueError):
            raise ClienteleError(
                "The saved password cannot be read with the key that is set now.",
                "Enter the password again, or let your administrator put the earlier key into CLIENTELE_SECRET_KEY.",
            ) from None
        if of != _text(place):
            raise ClienteleError(
                "The saved password was given for another server or user.", "Enter the password again."
            )
        return str(password)


def _fernet(key: str) -> Fernet:
    # Any text of 32 bytes and more will do as a key; Fernet wants exactly 32.
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _text(place: Place) -> str:
    return json.dumps(dict(place), sort_keys=True)

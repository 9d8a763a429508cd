"""Secrets by name, after the filters of Django and oslo.utils: parts of a name, and a list of what only looks so."""

from __future__ import annotations

import re
from functools import lru_cache

#: Characters of a name that are looked at.
MAX_NAME = 200

#: A name is secret when one of these stands anywhere in it, written without separators: `adminPass`, `dbpassword`.
_PARTS = re.compile(
    "pass|pwd|secret|token|credential|authori[sz]ation|cookie|signature|userdata|kubeconfig|connectionstring|mnemonic"
    "|jwt|privatekey|keytab|pkcs12|pfx"
    "|(?:api|secret|sharedaccess|encrypt|encryption|decryption|signing|sign|ssh|master|auth|shared|preshared|session"
    "|account|storage|client|server|service|host|deploy|license|recovery|unlock|admin|root|hmac|aes|rsa|ssl|tls|wrap)keys?"
).search
#: Too short to be looked for inside other words: whole words of a name ...
_WORDS = frozenset("otp totp pin pins pw psk auth bearer creds cred cvv cvc sig pem salt".split())
#: ... or its end: `rootpw`, `wpapsk`.
_ENDS = ("pw", "psk", "totp", "creds")

#: Words that have one of the parts and tell of no secret. `compassword` still is one.
_INNOCENT = re.compile(
    r"(?:by|com|sur|over|under|tres)pass(?:es|ed|ing)?(?!w|p|k)|pass(?:ed|es|ing|ive|enger|age|port|thr)"
    r"|secretar|tokeni[sz]|(?:next|page|continuation|sync|client|idempotency)token|accesskeys?id"
)
#: A name that ends with one of these is about a secret rather than one ...
_ABOUT = frozenset(
    "id ids name names type types count length expires expiry expired expiration period policy url uri hint "
    "limit status enabled required algorithm created updated".split()
)
#: ... and one that begins with one of these, too: `hasPassword`, `maxTokens`.
_ASKS = frozenset("has is max min num total".split())

_split = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+").findall


@lru_cache(maxsize=4096)
def is_secret_key(name: str) -> bool:
    """Return whether a member of this name holds a secret: ``password``, ``adminPass``, ``access-secret``, ``psk``.

    Args:
        name: in any spelling; a very long one is judged by its first characters.
    """
    words = [word.lower() for word in _split(name[:MAX_NAME])]
    if not words or words[-1] in _ABOUT or words[0] in _ASKS:
        return False
    whole = _INNOCENT.sub(" ", "".join(words))
    return bool(_PARTS(whole)) or not _WORDS.isdisjoint(words) or whole.endswith(_ENDS)

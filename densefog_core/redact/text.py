"""Secrets by shape, in any text; each pass reads the text once, however it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from densefog_core.redact.declared import HIDDEN, hide_declared
from densefog_core.redact.names import is_secret_key

#: What a text must have for one of the passes to find something.
_suspicious = re.compile(
    r"[:=@<%]|(?:\A|\s)[-'\"]|--|,\s|(?i:login |eyj|gh[a-z]_|_pat_|xox|sk[_-]|glpat|hv[sb]\.|aiza|bearer|basic)"
).search

_QUOTE = r"\\{0,7}+(?:\"|'|%22)"

#: Forms whose secret stands alone; what is in the groups `before` and `after` stays.
_FORMS = (
    # Private keys, also those that are cut off or stand in one line.
    re.compile(r"(?P<before>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z0-9 ]{0,20}-----)"
               r"(?:[^-]++|-(?!----END))*+(?P<after>-----END)?"),
    # Webhooks whose address is the secret.
    re.compile(r"(?P<before>hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/"
               r"|api\.telegram\.org/bot)[^\s\"'<>]++", re.I),
    # Bearer abc, Basic abc
    re.compile(r"(?P<before>\b(?:bearer|basic)\s{1,20}+)[A-Za-z0-9._~+/=-]{6,}+", re.I),
    # Tokens that say themselves what they are: JWT, GitHub, GitLab, Slack, Stripe, Google, Vault.
    re.compile(r"(?<![A-Za-z0-9_])(?:eyJ[\w-]{4,}+\.[\w-]{4,}+\.[\w-]*+|gh[pousr]_\w{20,}+|github_pat_\w{20,}+"
               r"|glpat-[\w-]{16,}+|xox[a-z]-[\w-]{8,}+|sk[_-](?:live|test|ant|proj)[_-][\w-]{8,}+"
               r"|AIza[\w-]{30,}+|hv[sb]\.[\w-]{16,}+)"),
    # curl -u user:password
    re.compile(r"(?P<before>(?<!\S)(?:-u|-U|--user|--proxy-user)[ =]{1,3}['\"]?[^\s:'\"]{0,100}+:)[^\s'\"]++"),
    # mysql -ppassword, sshpass -p password, redis-cli -a password
    re.compile(r"(?P<before>\b(?:mysql|mariadb)[a-z-]{0,20}+ (?:[^\n]{0,200}? )??-p)[^\s-][^\s]*+"),
    re.compile(r"(?P<before>\b(?:sshpass|redis-cli) (?:[^\n]{0,100}? )??-[pa] ?)[^\s]++"),
    # A line of .netrc
    re.compile(r"(?P<before>\blogin\s{1,5}\S{1,100}+\s{1,5}password\s{1,5})\S++"),
    # Elements of XML
    re.compile(r"(?P<before><(?P<tag>[\w.:-]++)(?:\s[^<>]{0,500}+)?>(?:<!\[CDATA\[)?)[^<>\s](?:[^<\]]++|\](?!\]>))*+"),
)

#: `mysql://` or `https://`; what follows up to a space or a quote is the address, or several.
_address = re.compile(r"://[^\s\"'<>`]++")
_user = re.compile(r"[^:/?#@]*+:")
_port = re.compile(r":[0-9]{1,5}(?=[/?#]|\Z)")

_key = re.compile(
    rf"(?<![\w.-])(?P<key>[\w.-]++)(?P<end>(?:{_QUOTE})?)"
    r"(?:(?P<assign>\s{0,20}+(?:=>|:=|::|==|(?:is\s{0,5})?[:=]|%3[AaDd])\s{0,20}+)"
    r"|(?P<space>[ \t]{1,20}+)|(?P<comma>,\s{0,20}+))"
)
_opening = re.compile(rf"(?:[bBuUrRfF]{{1,2}}(?=[\"']))?(?P<quote>{_QUOTE})")
_word = re.compile(r"(?:(?!%(?:26|22|2C|7D))[^\s,;&\"'(){}\[\]<])++")
_line = re.compile(r"[^\r\n]++")
_nested = re.compile(r"\"(?:[^\"\\]++|\\.)*+\"|'(?:[^'\\]++|\\.)*+'|[\[\](){}]", re.DOTALL)
_starts_line = re.compile(r"(?:\A|[\r\n])[ \t]*(?:- |export |set )?['\"]?\Z").search
_HEADERS = ("authorization", "cookie", "cookie2", "www-authenticate")

#: `"name": "DB_PASSWORD", "value": "x"`, `<entry key="password">x<`, a part of a form.
_named = re.compile(
    rf"(?<![A-Za-z0-9])(?:name|key|variable|header|field|param|parameter|option|property|attribute)(?:{_QUOTE})?"
    rf"\s{{0,5}}+[:=]\s{{0,5}}+(?:{_QUOTE})?(?P<key>[\w.-]{{1,100}}+)(?:{_QUOTE})?", re.I
)
_then_value = re.compile(
    rf"[\s,;/]{{0,20}}+(?:{_QUOTE})?(?:value|val|content|data|default)(?:{_QUOTE})?\s{{0,5}}+[:=]\s{{0,5}}+"
    r"|\s{0,5}+>|\r?\n\r?\n", re.I
)
_value_first = re.compile(
    rf"(?P<before>\b(?:value|val)(?:{_QUOTE})\s{{0,5}}+[:=]\s{{0,5}}+(?P<quote>{_QUOTE}))(?P<value>[^\"'\\]{{1,2000}}+)"
    rf"(?P<after>(?:{_QUOTE})[\s,]{{1,20}}+(?:{_QUOTE})(?:name|key)(?:{_QUOTE})\s{{0,5}}+[:=]\s{{0,5}}+"
    rf"(?:{_QUOTE})(?P<key>[\w.-]{{1,100}}+))", re.I
)
_identified = re.compile(r"\bidentified\s{1,5}(?:by|with\s{1,5}\S{1,60}\s{1,5}(?:by|as))\s{1,5}", re.I)

#: Where a secret begins and ends.
Span = tuple[int, int]


def redact_text(text: str) -> str:
    """Return ``text`` with what looks like a secret hidden.

    Found are values behind the name of a secret (see `is_secret_key`) as programs, shells, JSON, also JSON in JSON,
    XML, YAML, query strings, headers, SQL and forms write them; passwords in addresses, private keys, and tokens of
    known services. What the running call or job has declared as `Secret` is hidden, too. The time it takes grows with
    the length of the text and not faster.
    """
    if _suspicious(text):
        for form in _FORMS:
            text = form.sub(_without, text)
        for find in (_in_addresses, _in_pairs, _behind_keys):
            text = _hide(text, find)
        text = _value_first.sub(_without_value, text)
    return hide_declared(text)


def _without(found: re.Match[str]) -> str:
    parts = found.groupdict()
    if "tag" in parts and not is_secret_key(_last(parts["tag"])):
        return found[0]
    return f"{parts.get('before') or ''}{HIDDEN}{parts.get('after') or ''}"


def _without_value(found: re.Match[str]) -> str:
    return f"{found['before']}{HIDDEN}{found['after']}" if is_secret_key(_last(found["key"])) else found[0]


def _last(name: str) -> str:
    """Return what stands behind the last dot or colon; a module's or namespace's name says nothing of the value."""
    return name.rpartition(".")[2].rpartition(":")[2]


def _hide(text: str, find: Callable[[str], Iterator[Span]]) -> str:
    pieces, at = [], 0
    for start, end in find(text):
        if start >= at and end > start:
            pieces.append(f"{text[at:start]}{HIDDEN}")
            at = end
    return "".join(pieces) + text[at:] if pieces else text


def _in_addresses(text: str) -> Iterator[Span]:
    """Yield the passwords, and the users that are tokens, of the addresses in a text."""
    for found in _address.finditer(text):
        at = found.start()
        # An address may stand in another one's query: each begins where the one before ends.
        for part in found[0].split("://")[1:]:
            at += len("://")
            yield from _of_address(part, at)
            at += len(part)


def _of_address(part: str, at: int) -> Iterator[Span]:
    user = _user.match(part)
    if user is None:
        name, sign, _ = part.partition("@")
        if sign and len(name) >= 16 and "/" not in name and "?" not in name:
            yield at, at + len(name)
        return
    end = part.find("/", user.end())
    # A password may have an unescaped @ or slash: what ends it is the last @, unless that belongs to a path.
    last = part.rfind("@") if not _port.match(part, user.end() - 1) else part.rfind("@", 0, end if end > 0 else None)
    if last >= user.end():
        yield at + user.end(), at + last


def _in_pairs(text: str) -> Iterator[Span]:
    """Yield the values of pairs of a secret's name and its value, and of SQL that sets a password."""
    end = 0
    for found in _named.finditer(text):
        if found.start() >= end and is_secret_key(_last(found["key"])):
            if then := _then_value.match(text, found.end()):
                if then[0].endswith(">"):
                    stop = text.find("<", then.end())
                    span = then.end(), stop if stop >= 0 else len(text)
                elif then[0].endswith("\n"):
                    span = _end(_line, text, then.end())
                else:
                    span = _value(text, then.end())
                yield span
                end = span[1]
    end = 0
    for found in _identified.finditer(text):
        if found.start() >= end:
            span = _value(text, found.end())
            yield span
            end = span[1]


def _behind_keys(text: str) -> Iterator[Span]:
    """Yield what stands behind the names of secrets."""
    # The value of a key that is no secret is not skipped: it may hold a pair that is one.
    end = 0
    for found in _key.finditer(text):
        if found.start() < end or not is_secret_key(_last(found["key"])) or not _assigns(text, found):
            continue
        span = _header(text, found) or _value(text, found.end())
        yield span
        end = span[1]


def _assigns(text: str, found: re.Match[str]) -> bool:
    """Return whether a value follows: behind an option, a name in quotes in a pair, or a quoted value behind a name."""
    if found["assign"]:
        return True
    option, at = found["key"].startswith("-"), found.end()
    quoted = _opening.match(text, at) is not None
    if found["space"]:
        return quoted or (option and not found["end"] and not text.startswith("-", at))
    before = text[max(0, found.start() - 3) : found.start()].rstrip("\"'")
    return quoted and bool(found["end"]) and (option or before.endswith("("))


def _header(text: str, found: re.Match[str]) -> Span | None:
    """Return the rest of the line for headers, and for names that begin a line, where the value has no quotes."""
    start, name, at = found.start(), found["key"], found.end()
    if not found["assign"] or found["end"] or _opening.match(text, at) or "%" in found["assign"]:
        return None
    is_header = ":" in found["assign"] and name.lower().endswith(_HEADERS)
    begins = (":" in found["assign"] or name.isupper()) and _starts_line(text[max(0, start - 80) : start])
    if (not (is_header or begins)) or text[at : at + 1] in ("[", "{", "("):
        return None
    before = text[start - 1 : start] if start else ""
    if before and before in "\"'":
        stop = text.find(before, at)
        return at, stop if stop >= 0 else len(text)
    return _end(_line, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> Span:
    found = pattern.match(text, at)
    return at, at if found is None else found.end()


def _value(text: str, at: int) -> Span:
    """Return where a value lies; one that is not closed goes on to the end of the text."""
    if opening := _opening.match(text, at):
        return opening.end(), _closing(text, opening.end(), opening["quote"])
    if text[at : at + 1] in ("[", "{", "("):
        return at, _bracket_end(text, at)
    return _end(_word, text, at)


def _closing(text: str, at: int, quote: str) -> int:
    """Return where the text in quotes ends; a quote with more backslashes before it stands for itself."""
    if quote in ("'", '"'):
        inside = re.compile(rf"(?:[^\\{quote}]++|\\.)*+", re.DOTALL).match(text, at)
        return len(text) if inside is None else inside.end()
    stop = text.find(quote, at)
    while stop > 0 and text[stop - 1] == "\\":
        stop = text.find(quote, stop + len(quote))
    return stop if stop >= 0 else len(text)


def _bracket_end(text: str, at: int) -> int:
    depth = 0
    for found in _nested.finditer(text, at):
        depth += (found[0] in "[({") - (found[0] in "])}")
        if not depth:
            return found.end()
    return len(text)

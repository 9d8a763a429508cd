"""Sends a call to the two clouds of `clouds` and compares what they answer.

Identifiers are random, so resources are called by labels, such as ``volume 1``, in the order in which they come up; a
list of resources that were created in one second has no order that could be compared. Left out is what differs from run
to run, and the wording of the libraries that validate.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from werkzeug.test import Client

from tests.bench.clouds import SECRET, Cloud

#: The tenant who calls unless it is said otherwise, and another one.
MINE, THEIRS = "mine", "theirs"
OPERATIONS = """
    SELECT action, resource_type, resource_ids, params, ret_code, ret_message FROM operation WHERE access_key = ?
"""


class Both:
    """The two clouds, with two tenants who have nothing yet.

    Args:
        clouds: the two.
        test: what tells these tenants from those of other tests.
    """

    def __init__(self, clouds: tuple[Cloud, Cloud], test: str) -> None:
        self._clouds, self._test, self._worked = [(cloud, Labels()) for cloud in clouds], test, 0
        for cloud in clouds:
            for name in (MINE, THEIRS):
                cloud.tenant(f"{name}-{test}")

    def call(self, action: str, code: int = 0, *, by: str = MINE, secret: str = SECRET, **params: Any) -> Any:
        """Call an action of both, check the retCode, and return the data; labels stand for ids."""
        return self.post(json.dumps({"action": action, **params}), code, by=by, secret=secret)

    def post(self, body: str, code: int, *, by: str = MINE, secret: str = SECRET) -> Any:
        """Send a body; see `call`."""
        headers = {"X-Le-Key": f"{by}-{self._test}", "X-Le-Secret": secret}
        reply = self._same(lambda cloud, labels: labels.hide(_post(cloud.client, labels.show(body), headers)))
        assert reply["retCode"] == code, reply
        return reply["data"]

    def work(self) -> list[tuple[str, int]]:
        """Run the jobs of both that have not run; return what `Cloud.work` does of each."""

        def run(cloud: Cloud, labels: Labels) -> list[tuple[str, int]]:
            jobs = [one for label, one in labels.ids.items() if label.startswith("job ")]
            return [cloud.work(one) for one in jobs[self._worked :]]

        ended: list[tuple[str, int]] = self._same(run)
        self._worked += len(ended)
        return ended

    def misbehave(self, **how: float) -> None:
        """Set what both providers do; see `Cloud.misbehave`."""
        for cloud, _ in self._clouds:
            cloud.misbehave(**how)

    def execute(self, statement: str, *values: object, by: str = MINE) -> list[Any]:
        """Run a statement in both databases; return the rows. The last of its values is a tenant's project or key."""
        who = f"{by}-{self._test}"

        def run(cloud: Cloud, labels: Labels) -> Any:
            shown = [json.loads(labels.show(json.dumps(value))) for value in values]
            return sorted(labels.hide(cloud.execute(statement, *shown, who)), key=json.dumps)

        return self._same(run)

    def _same(self, ask: Any) -> Any:
        first, second = (ask(cloud, labels) for cloud, labels in self._clouds)
        assert first == second
        return first


class Labels:
    """What the ids of one cloud are called.

    Attributes:
        ids: the ids by label.
    """

    KINDS: ClassVar = {"vol": "volume", "i": "instance", "job": "job"}

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self._labels: dict[str, str] = {}

    def show(self, text: str) -> str:
        """Put ids in the place of labels."""
        return re.sub(r'(?<=")[a-z]+ \d+(?=")', lambda match: self.ids.get(match[0], match[0]), text)

    def hide(self, value: Any) -> Any:
        """Put labels in the place of ids, and words in the place of what may differ."""
        text = json.dumps(value)
        for pattern, words in (
            (r"\bctx-[\w-]+", "context"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "then"),
            (r'(?<=Illegal request format: )(\\.|[^"\\])+', "..."),
            (r'(?<="path": )("[^"]*"), "message": "(\\.|[^"\\])+"', r"\1"),
        ):
            text = re.sub(pattern, words, text)
        return json.loads(re.sub(r"\b(vol|i|job)-[\w-]+", self._label, text))

    def _label(self, match: re.Match[str]) -> str:
        found, kind = match[0], self.KINDS[match[1]]
        if found not in self._labels:
            number = sum(label.startswith(kind) for label in self.ids) + 1
            self._labels[found] = f"{kind} {number}"
            self.ids[f"{kind} {number}"] = found
        return self._labels[found]


def _post(client: Client, body: str, headers: dict[str, str]) -> dict[str, Any]:
    """Send one request; check what the envelope of every reply must be like, and return it."""
    response = client.post("/", data=body, headers=headers)
    assert (response.status_code, response.content_type) == (200, "application/json; charset=utf-8")
    reply = json.loads(response.text)
    assert list(reply) == ["data", "retCode", "message"]
    if reply["retCode"]:
        assert reply["data"]["exceptionTag"] == response.headers["X-Request-Id"]
    reply["data"].get("errors", []).sort(key=lambda one: str(one["path"]))
    # The plain twin has pages by offset only.
    reply["data"].pop("nextToken", None)
    return reply

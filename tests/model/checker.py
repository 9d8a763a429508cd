"""Tries every order of events of a model: breadth first, so that what it finds is the shortest road."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Checked(NamedTuple):
    """What a check has seen.

    Attributes:
        states: how many there are, or until something was found.
        wrong: what must not be, or the empty string.
        road: the events that lead there.
        worst: the largest figure of all states.
    """

    states: int
    wrong: str
    road: list[str]
    worst: int

    def __str__(self) -> str:
        return f"{self.wrong or 'passes'} ({self.states} states): {' > '.join(self.road)}"


class Model(Generic[S]):
    """What is checked; a subclass says how it goes on and what must not be."""

    first: S

    def moves(self, state: S) -> Iterable[tuple[str, S]]:
        """Return what may happen next, and the states that follow."""
        raise NotImplementedError

    def wrong(self, state: S, *, ends: bool) -> str:
        """Return what must not be in a state, or the empty string.

        Args:
            state: the state.
            ends: nothing can happen any more.
        """
        raise NotImplementedError

    def figure(self, state: S) -> int:
        """Return a number whose largest value is reported."""
        return 0


def check(model: Model[S]) -> Checked:
    """Go through all states of a model, or until one is wrong."""
    before: dict[S, tuple[S, str] | None] = {model.first: None}
    todo, worst = deque([model.first]), 0
    while todo:
        state = todo.popleft()
        following = list(model.moves(state))
        worst = max(worst, model.figure(state))
        if wrong := model.wrong(state, ends=not following):
            return Checked(len(before), wrong, _road(before, state), worst)
        for label, follower in following:
            if follower not in before:
                before[follower] = (state, label)
                todo.append(follower)
    return Checked(len(before), "", [], worst)


def _road(before: dict[S, tuple[S, str] | None], state: S) -> list[str]:
    labels: list[str] = []
    step: Callable[[S], tuple[S, str] | None] = before.__getitem__
    while (found := step(state)) is not None:
        state, label = found
        labels.append(label)
    return labels[::-1]

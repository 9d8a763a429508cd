"""What the pages say is done, block by block, as a reader would do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import CHECKS, DOCS, ROOT, SHOWN, Reader, blocks, pages
from tests.packaging.wheels import build_wheel, copy_source

#: Pages that go on where the one before ended.
TUTORIAL = sorted((DOCS / "tutorial").glob("[0-9]-*.md"))
#: Pages that have a test of their own, because they need more than an empty folder.
SPECIAL = {ROOT / "README.md", *TUTORIAL, *(DOCS / "how-to" / f"{name}.md" for name in ("deploy", "mariadb"))}
PLAIN = [page for page in pages() if page not in SPECIAL and any(True for _ in blocks(page))]

#: Blocks that nothing runs; each says why. More than these must be thought over.
MOST_SKIPPED = 6


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with an empty folder, and with nothing but the network missing."""
    reader = Reader(
        tmp_path, DENSEFOG_DISABLE_PLUGINS="stratus", PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0",
        # A reader has none of the plugins for pytest that are installed here.
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )  # fmt: skip
    yield reader
    reader.close()


@pytest.mark.chaos
def test_the_tutorial_works_from_its_first_line_to_its_last(reader):
    for page in TUTORIAL:
        reader.follow(page)


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_block_of_the_page_works(reader, page):
    reader.follow(page)


@pytest.mark.chaos
def test_a_channel_is_written_word_for_word_with_nothing_but_densefog_installed(tmp_path):
    """Real environments, a real wheel and the index: what a reader on another machine has."""
    build_wheel(copy_source(ROOT, tmp_path / "source" / "densefog"), tmp_path / "wheels")
    reader = Reader(tmp_path, alone=True, PIP_FIND_LINKS=str(tmp_path / "wheels"))
    try:
        reader.follow(DOCS / "how-to" / "write-a-channel.md")
    finally:
        reader.close()


def test_the_readme_shows_the_sample_cloud_as_it_is(tmp_path):
    reader = Reader(tmp_path)
    try:
        reader.serve("densefog-serve")
        reader.follow(ROOT / "README.md")
    finally:
        reader.close()


def test_what_the_readme_and_the_index_refer_to_is_there():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_block_says_what_it_is():
    """A language that the tests do not know is a block that nobody checks."""
    known = {*SHOWN, *CHECKS, "console"}
    strange = [str(one) for page in pages() for one in blocks(page) if not one.caption and one.language not in known]
    assert strange == []


def test_blocks_that_nothing_runs_are_few_and_say_why():
    skipped = [one for page in pages() for one in blocks(page) if one.mark("skip") is not None]
    assert all(one.mark("skip") for one in skipped)
    assert len(skipped) <= MOST_SKIPPED

"""Discovery: entry points of real metadata folders, found without importing anything."""

import sys

import pytest

from densefog_core.plugins.discovery import Found, discover, normalized


@pytest.fixture
def site(tmp_path):
    """A folder that distributions are put into as pip would."""

    def install(name, version, entry_points, folder="site"):
        info = tmp_path / folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points)
        return str(info.parent)

    return install


def test_entry_points_are_found_with_their_distribution_and_version(site):
    path = site("alpha-cloud", "1.2", "[densefog.plugins]\nalpha = alpha.plugin\n[console_scripts]\nx = alpha:main\n")
    assert discover(path=[path]) == [Found("densefog.plugins", "alpha", "alpha.plugin", "alpha-cloud", "1.2")]


def test_nothing_is_imported(site):
    path = site("alpha", "1", "[densefog.plugins]\nalpha = module_that_does_not_exist\n")
    discover(path=[path])
    assert "module_that_does_not_exist" not in sys.modules


def test_densefogs_own_come_first_then_by_distribution_group_and_name(site):
    for name in ("zeta", "alpha", "densefog"):
        path = site(name, "1", "[densefog.plugins]\nb = m\na = m\n[densefog.actions]\nX = m:f\n")
    order = [(one.dist, one.group.partition(".")[2], one.name) for one in discover(path=[path])]
    assert order[:3] == [("densefog", "actions", "X"), ("densefog", "plugins", "a"), ("densefog", "plugins", "b")]
    assert [one[0] for one in order[3:]] == ["alpha"] * 3 + ["zeta"] * 3


def test_a_distribution_found_twice_counts_once_and_the_first_wins(site):
    paths = [
        site("Alpha_Cloud", "1", "[densefog.plugins]\na = m\n", "one"),
        site("alpha-cloud", "2", "[densefog.plugins]\na = m\n", "two"),
    ]
    assert [one.version for one in discover(path=paths)] == ["1"]


def test_the_current_folder_is_not_looked_into(site, monkeypatch):
    path = site("planted", "1", "[densefog.plugins]\nplanted = m\n")
    monkeypatch.chdir(path)
    monkeypatch.setattr(sys, "path", ["", path])
    assert discover() == []


def test_an_owner_names_plugin_distribution_and_version():
    assert Found("densefog.actions", "Ping", "m:f", "alpha", "1.0").owner == "action 'Ping' of alpha 1.0"


@pytest.mark.parametrize("name", ["My.Plug_in", "my-plug--in", "MY_PLUG.in"])
def test_names_are_compared_as_pip_compares_them(name):
    assert normalized(name) == "my-plug-in"


LATIN_1 = "café = stranger:main\n".encode("latin-1")
METADATA = b"Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n"
PLUGIN = b"[densefog.plugins]\nstranger = stranger\n"


@pytest.mark.parametrize(
    ("metadata", "points", "name", "wrong"),
    [
        (METADATA, b"[console_scripts]\n" + LATIN_1, "stranger-1.0.dist-info", "its entry_points.txt cannot be read"),
        (METADATA, b"[densefog.plugins]\nstranger\n", "stranger-1.0.dist-info", "its entry_points.txt cannot be read"),
        (METADATA, b"[densefog.plugins\nstranger = \xff", "stranger-1.0.dist-info", "its entry_points.txt cannot be"),
        (METADATA + b"Author: Ren\xe9\n", PLUGIN, "stranger", "its METADATA cannot be read: UnicodeDecodeError"),
        (b"", PLUGIN, "stranger", ""),
        (b"\0\0", PLUGIN, "stranger", ""),
    ],
)
def test_what_others_have_installed_cannot_stop_discovery(site, tmp_path, metadata, points, name, wrong):
    """Unreadable or malformed, it is named; the distributions beside it are found all the same."""
    path = site("alpha", "1", "[densefog.plugins]\nalpha = m\n")
    info = tmp_path / "site" / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(metadata)
    (info / "entry_points.txt").write_bytes(points)
    alpha, stranger = discover(path=[path])
    assert alpha == Found("densefog.plugins", "alpha", "m", "alpha", "1")
    assert (stranger.name, stranger.wrong[: len(wrong)]) == (name, wrong)
    assert bool(stranger.wrong) is bool(wrong)


def test_metadata_that_is_no_file_cannot_stop_discovery(site, tmp_path):
    """Nor can a link that leads to itself, or a file that is a folder."""
    path = site("alpha", "1", "[densefog.plugins]\nalpha = m\n")
    for name in ("loop", "folder"):
        (tmp_path / "site" / f"{name}-1.0.dist-info").mkdir()
    (tmp_path / "site" / "loop-1.0.dist-info" / "entry_points.txt").symlink_to("entry_points.txt")
    (tmp_path / "site" / "folder-1.0.dist-info" / "entry_points.txt").mkdir()
    alpha, *broken = discover(path=[path])
    assert alpha.name == "alpha"
    assert [one.name for one in broken] == ["loop-1.0.dist-info"]

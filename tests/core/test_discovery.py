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

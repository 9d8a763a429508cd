"""The console in a real browser, by the names that people and screen readers see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugins.console.conftest import PATIENCE, Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = (
    "/", "/jobs", "/jobs?status=finished", "/jobs?live=off", "/actions", "/actions/manage/RetryJobs", "/resources",
    "/resources/vol-8NkZQZ6u", "/system", "/nowhere",
)  # fmt: skip


def test_a_group_of_failures_is_retried_to_the_end(served: Served, page: Page) -> None:
    """From the overview by three clicks, with a reason that the operation keeps."""
    ids = served.fail("no room on disk 7", 3)
    page.goto(f"{served.console}/")
    page.get_by_role("table", name="Failures by cause").get_by_role("link", name="Retry 3 jobs").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Retry 3 jobs?"
    page.get_by_label("Reason").fill("disk back")
    page.get_by_role("button", name="Retry 3 jobs").click()
    assert page.get_by_role("status").inner_text().startswith("3 jobs retried")
    [operation] = served.call("DescribeOperations", actionNames=["RetryJobs"], limit=1)["operationSet"]
    assert operation["params"]["reason"] == "disk back"
    assert sorted(operation["resourceIds"]) == sorted(ids)


def test_jobs_are_cancelled_after_they_were_counted(served: Served, page: Page) -> None:
    """Exactly those that were selected."""
    first, second = served.call("Start", count=2, later=True)["jobIds"]
    page.goto(f"{served.console}/jobs?status=pending")
    page.get_by_role("checkbox", name=f"Select {first}").check()
    page.get_by_role("button", name="Cancel selected").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Cancel 1 job?"
    page.get_by_label("Reason").fill("wrong size")
    page.get_by_role("button", name="Cancel 1 job").click()
    assert "1 job cancelled" in page.get_by_role("status").inner_text()
    assert (served.status(first), served.status(second)) == ("error", "pending")
    served.call("CancelJobs", jobIds=[second], reason="the test is over")


def test_everything_works_without_scripts(served: Served, browser: Browser) -> None:
    """The same three clicks."""
    served.fail("no scripts here")
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{served.console}/jobs?error=no+scripts")
    page.get_by_role("link", name="Retry all matching").click()
    page.get_by_label("Reason").fill("x")
    page.get_by_role("button", name="Retry 1 job").click()
    assert "1 job retried" in page.get_by_role("status").inner_text()
    context.close()


def test_markup_in_an_error_is_text(served: Served, page: Page) -> None:
    """In the list and on the job's own page; nothing runs."""
    [job_id] = served.fail("<script>alert(1)</script><b>x</b>")
    page.on("dialog", lambda dialog: pytest.fail("a script has run"))
    page.goto(f"{served.console}/jobs?error=alert")
    assert page.get_by_text("<script>alert(1)</script>").first.is_visible()
    page.goto(f"{served.console}/jobs/{job_id}")
    assert page.get_by_role("heading", level=1).inner_text() == job_id
    assert page.locator("pre", has_text="<script>alert(1)</script>").first.is_visible()


def test_an_error_stands_at_its_field(served: Served, page: Page) -> None:
    """Marked for screen readers too; the reply is beside it."""
    page.goto(f"{served.console}/actions/manage/Start")
    page.get_by_label("count").fill("5000")
    page.get_by_role("button", name="Call Start").click()
    field = page.get_by_label("count")
    assert field.get_attribute("aria-invalid") == "true"
    described = (field.get_attribute("aria-describedby") or "").split()
    assert any("1000" in page.locator(f"[id='{one}']").inner_text() for one in described)
    page.get_by_label("count").fill("1")
    page.get_by_label("later").select_option("true")
    page.get_by_role("button", name="Call Start").click()
    assert '"jobIds"' in page.get_by_role("region", name="Reply").inner_text()


def test_a_filter_narrows_the_list(served: Served, page: Page) -> None:
    """And it is cleared by one link."""
    [wanted] = served.fail("the one that is looked for")
    served.fail("another one")
    page.goto(f"{served.console}/jobs")
    search = page.get_by_role("search", name="Filter jobs")
    search.get_by_label("Error contains").fill("looked for")
    search.get_by_role("button", name="Filter").click()
    rows = page.get_by_role("table", name="Jobs").get_by_role("row")
    assert rows.count() == 2
    assert wanted in rows.nth(1).inner_text()
    page.get_by_role("link", name="Clear").click()
    assert page.get_by_role("table", name="Jobs").get_by_role("row").count() > 2


def test_a_poll_of_an_unchanged_page_is_empty(served: Served, page: Page) -> None:
    """204, so that nothing is replaced; updates can be paused."""
    page.goto(f"{served.console}/jobs?status=finished")
    where = page.locator("#live").get_attribute("hx-get")
    assert where is not None
    assert page.request.get(f"{served.address}{where}").status == 204
    page.get_by_role("link", name="Pause updates").click()
    assert page.locator("#live").get_attribute("hx-get") is None
    assert page.get_by_role("link", name="Resume updates").is_visible()


def test_a_checked_box_stays_when_the_list_refreshes(served: Served, page: Page) -> None:
    """The new row comes, and what was selected is still selected."""
    [first] = served.call("Start", later=True)["jobIds"]
    page.goto(f"{served.console}/jobs?status=pending")
    box = page.get_by_role("checkbox", name=f"Select {first}")
    box.check()
    [second] = served.call("Start", later=True)["jobIds"]
    page.get_by_role("checkbox", name=f"Select {second}").wait_for()
    assert box.is_checked()
    served.call("CancelJobs", jobIds=[first, second], reason="the test is over")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible(served: Served, browser: Browser, width: int, scheme: str) -> None:
    """By axe; none scrolls sideways, each has one first heading and says nothing to the browser's console."""
    from axe_core_python.sync_playwright import Axe

    served.fail("no room for " + "a-long-word-without-a-break" * 8)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for path in PAGES:
        page.goto(f"{served.console}{path}")
        found = [(one["id"], one["nodes"][0]["html"]) for one in Axe().run(page)["violations"]]
        assert found == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.get_by_role("heading", level=1).count() == 1, path
        assert "densefog console" in page.title()
    context.close()
    assert [text for text in said if "404" not in text] == []


def test_the_keyboard_reaches_what_the_page_is_about(served: Served, page: Page) -> None:
    """The first stop skips the navigation."""
    page.goto(f"{served.console}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

"""A real Chromium over our pages: what is seen, what is asked for, what it complains of, how wide they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

from tests.daemons import program

NARROW, BROAD = 400, 1600
"""Pixels between which a page must be well."""


class Browser:
    """One window."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def open(self, address: str, *, width: int = 1200, is_dark: bool = False) -> None:
        """Go to a page, at this width, on a screen that is dark or light."""
        self._tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[scheme])
        self.asked()
        self.complaints()
        self.chrome.get(address)

    def asked(self) -> list[str]:
        """The addresses that were asked for since the page was opened, but for those that hold all themselves."""
        told = (json.loads(entry["message"])["message"] for entry in self._log("performance"))
        urls = (each["params"]["request"]["url"] for each in told if each["method"] == "Network.requestWillBeSent")
        return [url for url in urls if not url.startswith("data:")]

    def complaints(self) -> list[str]:
        """What the browser wrote on its console since the page was opened, warnings and errors."""
        return [entry["message"] for entry in self._log("browser")]

    def text(self, selector: str = "body") -> str:
        """What a reader sees of the first element that this means."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def run(self, code: str, *given: Any) -> Any:
        """What some JavaScript gives back."""
        return self.chrome.execute_script(code, *given)

    def press(self, key: str) -> None:
        """A key of the keyboard."""
        ActionChains(self.chrome).send_keys(key).perform()

    def press_tab(self) -> str:
        """Go on to what the keyboard reaches next, and say what it is called."""
        self.press(Keys.TAB)
        return str(self.run("return document.activeElement.innerText"))

    def type(self, selector: str, text: str) -> None:
        """Write into the first element that this means."""
        self.chrome.find_element("css selector", selector).send_keys(text)

    @property
    def overhang(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def picture(self, file: Path) -> None:
        """Save what the whole page looks like."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        self._tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=int(height), deviceScaleFactor=1, mobile=False
        )
        self.chrome.save_screenshot(str(file))

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.chrome.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def _tell(self, command: str, **given: Any) -> None:
        self.chrome.execute_cdp_cmd(command, given)


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A Chromium that knows nobody. Skips the test where there is none: see `program`."""
    chromium, driver = program("chromium"), program("chromedriver", package="chromium-driver", of="chromium")
    options = ChromeOptions()
    options.binary_location = chromium
    for switch in (
        *("headless=new", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update"),
        *("disable-sync", "disable-dev-shm-usage", f"user-data-dir={folder / 'profile'}"),
        "no-sandbox",  # it opens pages of ours alone, and neither root nor a container can have one
    ):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=Service(executable_path=driver))
    try:
        browser = Browser(chrome)
        browser.open("about:blank")
        browser.asked()  # the page that a new window shows asks Chromium itself for a lot
        yield browser
    finally:
        chrome.quit()

"""The rules and watchlists of the alerts role, kept up to date for all of its agents.

They are read when the module is imported, so a broken file stops the worker before it starts; later changes are taken
whole or not at all, and the rules in force stay in force.
"""

import asyncio
from functools import cache

from agents.decisions.correlation import WatchlistFeed
from alert_rules.book import RuleBook
from alert_rules.errors import RuleFileError
from alert_rules.settings import rule_settings
from schemas.topics import RULES, WATCHLISTS
from schemas.wiring import codec
from streams.roles import role_app
from telemetry import metrics
from telemetry.log import get_logger

log = get_logger(__name__)
app = role_app("alerts")
rule_documents = app.broadcast(RULES.name)
watchlist_entries = app.broadcast(WATCHLISTS.name)


def open_book() -> RuleBook:
    """The rules and watchlists of the settings.

    Raises:
        RuleFileError: something in them is wrong, with its place.
    """
    opened = RuleBook(rule_settings().rules_path, rule_settings().watchlists_path)
    opened.load()
    report(opened)
    return opened


def report(changed: RuleBook) -> None:
    """Say what is in force now."""
    rules = changed.engine.rules.enabled
    metrics.RULES_LOADED.set(len(rules))
    log.info(
        "rules in force", rules=len(rules), correlations=sum(rule.correlation is not None for rule in rules),
        watchlist_entries=len(changed.watchlists), versions={rule.id: rule.version for rule in rules},
    )  # fmt: skip


book = open_book()


@cache
def feed() -> WatchlistFeed:
    """The process's watchlist feed, made at first use."""
    return WatchlistFeed(book.watchlists, codec())


@watchlist_entries.on_change
def _note_entry(key: bytes, value: bytes | None) -> None:
    feed().note(key, value)


@rule_documents.on_change
def _take_document(key: bytes, value: bytes | None) -> None:
    name = f"{RULES.name}/{key.decode(errors='replace')}"
    try:
        book.put_document(name, value)
    except RuleFileError as error:
        log.error("rule document refused; the rules in force stay", document=name, problems=str(error))
    else:
        report(book)


async def refresh() -> None:
    """Take changed files; refuse broken ones loudly, once per change. They are read in a thread: lists may be long."""
    change = await asyncio.to_thread(book.look)
    try:
        if book.take(change):
            report(book)
    except RuleFileError as error:
        log.error("changed rules refused; the rules in force stay", problems=str(error))


@app.timer(interval=rule_settings().rules_reload_s)  # type: ignore[untyped-decorator]  # Faust's timer is untyped
async def watch_files() -> None:
    """Look at rule and watchlist files for changes."""
    await refresh()

"""The scenario's report as a table for people."""

from typing import Any


def broken(report: dict[str, Any]) -> list[str]:
    """Every promise that was not kept, with how often."""
    faults = [
        f"{what} ({when}): {len(found)}, e.g. {found[:3]}"
        for when in ("before", "after")
        for what, found in report[when]["broken"].items()
        if found
    ]
    if report["after"]["statuses"].get("uncertain"):
        faults.append("uncertain after everything was settled")
    if report["before"]["statuses"].get("sent", 0) < report["messages"] / 2:
        faults.append("less than half of the messages left by themselves")
    if any(report["exit_codes"]):
        faults.append(f"workers did not end politely: {report['exit_codes']}")
    if report["ended_by_themselves"]:
        faults.append(f"workers ended by themselves: {report['ended_by_themselves']}")
    return faults


def printed(report: dict[str, Any]) -> str:
    """What happened, what arrived, and whether it is what the database says."""
    begun = "{database}: {messages} messages, seed {seed}, {seconds} s"
    lines = [
        "",
        begun.format_map(report),
        "",
        "  what happened",
        *(_row(what, count) for what, count in sorted(report["events"].items())),
        _row("mails met by a fault of the mail server", sum(report["faults"].values())),
        *(f"        {what}: {count}" for what, count in sorted(report["faults"].items())),
        "",
        "  what is said when nothing waits any more",
        *(_row(what, count) for what, count in sorted(report["before"]["statuses"].items())),
        _row("arrived", report["before"]["arrived"]),
        _row("uncertain, of which arrived", report["before"]["uncertain and arrived"]),
        "",
        "  after a person has settled the uncertain ones",
        *(_row(what, count) for what, count in sorted(report["after"]["statuses"].items())),
        _row("arrived", report["after"]["arrived"]),
        _row("regular e-mails to users, arrived", report["after"]["notices arrived"]),
        "",
        "  promises",
        *(_row(what, len(found)) for what, found in report["after"]["broken"].items()),
        _row("workers that ended politely", report["exit_codes"].count(0)),
        "",
    ]
    faults = broken(report)
    return "\n".join([*lines, *(f"BROKEN: {fault}" for fault in faults or []), _end(faults), ""])


def _row(what: str, count: int) -> str:
    return f"    {what:<58}{count:>8}"


def _end(faults: list[str]) -> str:
    return "  At most once, never lost: " + ("NOT KEPT" if faults else "kept")

"""`trainer doctor`: nothing in; the state of the installation and the machine, with what mends each problem, out."""

from __future__ import annotations

from trainer_cli.cli import options


def command(as_json: options.JsonOption = False, quiet: options.QuietOption = False) -> None:
    """Check the installation and the machine, and say which command mends what is wrong.

    Versions of packages, processor, threads, memory, plan cache, folders, GPU and extras; then a small network is
    trained in native code and compared with its definition. The exit code is 6 if something that is needed is broken.
    --quiet shows problems alone.

    \b
    Example:
      trainer doctor
    """
    from trainer_cli.training.doctor import examine

    options.begin_work()
    checks = []
    for check in examine():
        checks.append(check)
        if not as_json and not (quiet and check.state in ("ok", "note")):
            print(f"{check.state:7}  {check.name:14} {check.words}", flush=True)
            if check.fix:
                print(f"{'':7}  {'':14} fix: {check.fix}", flush=True)
    broken = [check.name for check in checks if check.state == "broken"]
    if as_json:
        from trainer_cli.reports.json_lines import write_json

        write_json({"ok": not broken, "checks": [check._asdict() for check in checks]})
    if broken:
        options.say([f"error: broken: {', '.join(broken)}"], quiet=as_json)
        raise SystemExit(6)

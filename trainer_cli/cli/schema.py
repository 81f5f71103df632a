"""`trainer schema`: nothing in, the JSON Schema of configs out, for editors and other programs."""

from __future__ import annotations

import json


def command() -> None:
    """Print the JSON Schema of configs.

    Put `# yaml-language-server: $schema=<file>` into a config's first line, and an editor completes and checks it.

    \b
    Example:
      trainer schema > config.schema.json
    """
    from trainer_cli.config.json_schema import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))

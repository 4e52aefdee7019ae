"""The API itself behind a proxy, on a real database, with scripted answers: real accounts.

``python proxy_api.py PORT POSTGRES``, settings in the environment.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import uvloop

from albert.api.app import create_app
from albert.api.auth_log import auth_log
from albert.asgi.run import serve
from albert.settings import load
from albert.testing.services import scripted, with_database


def main() -> None:
    port, postgres = sys.argv[1:]
    settings = load()
    services = replace(with_database(scripted(), postgres), auth_log=auth_log(settings))
    app = create_app(services)
    uvloop.run(serve(app, "127.0.0.1", int(port), lambda _: None, root_path=settings.root_path))


if __name__ == "__main__":
    main()

"""Writes an image's bill of materials (CycloneDX): its Python environments, its Debian packages.

Run while the image is built, in the environment of ``requirements-images.lock``::

    sbom.py ENVIRONMENT [ENVIRONMENT…]

The first environment holds Albert, and keeps the bill: ``share/sbom.cdx.json``.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packageurl import PackageURL

DPKG = "/run/dpkg"
"""The packages of the image, not those of the stage that builds it."""


def main() -> None:
    first, *others = (Path(word) for word in sys.argv[1:])
    bill = of_python(first)
    for other in others:
        beside = of_python(other)
        for part in ("components", "dependencies"):
            name = {"components": "bom-ref", "dependencies": "ref"}[part]
            known = {one[name] for one in bill[part]}
            bill[part] += [one for one in beside[part] if one[name] not in known]
    bill["components"] += of_debian()
    albert = next(one for one in bill["components"] if one["name"] == "albert")
    bill.setdefault("metadata", {})["component"] = {
        "type": "container",
        "bom-ref": "image",
        "name": "albert",
        "version": albert["version"],
    }
    place = first / "share" / "sbom.cdx.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(bill, indent=1, ensure_ascii=False), "utf-8")


def of_python(environment: Path) -> dict[str, Any]:
    words = ("environment", "--spec-version", "1.6", "--output-reproducible", "--no-validate")
    done = subprocess.run(  # noqa: S603 — the builder's own words
        [Path(sys.executable).with_name("cyclonedx-py"), *words, environment / "bin" / "python"],
        check=True,
        stdout=subprocess.PIPE,
    )
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def of_debian() -> Iterator[dict[str, str]]:
    system = platform.freedesktop_os_release()
    distribution, release = system["ID"], system["VERSION_ID"]
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
    listed = subprocess.run(  # noqa: S603 — as above
        ["/usr/bin/dpkg-query", "--admindir", DPKG, "--show", "--showformat", form],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for line in listed.splitlines():
        status, name, version, architecture = line.split("\t")
        if status.strip() != "ii":
            continue
        more = {"arch": architecture, "distro": f"{distribution}-{release}"}
        address = PackageURL("deb", distribution, name, version, more).to_string()
        yield {
            "type": "library",
            "bom-ref": address,
            "name": name,
            "version": version,
            "purl": address,
        }


if __name__ == "__main__":
    main()

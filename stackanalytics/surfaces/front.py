"""The front page: links to every dashboard and every JSON route of a server."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote

from stackanalytics.surfaces.route import Surface

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>stackanalytics</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 3rem auto; padding: 0 1rem; }}
  dt {{ font-family: ui-monospace, monospace; margin-top: .6rem; }}
  dd {{ margin: 0; opacity: .75; }}
</style>
</head>
<body>
<h1>stackanalytics</h1>
<p>Answers from OpenStack notifications.</p>
{sections}
</body>
</html>
"""


def front_page(pages: Mapping[str, str], surfaces: Sequence[Surface]) -> str:
    """Return the front page as HTML.

    Parameters
    ----------
    pages
        What each dashboard shows, by the last part of its path.
    surfaces
        The JSON surfaces.
    """
    dashboards = [(f"/{quote(name)}", about) for name, about in pages.items() if name]
    sections = [_section("Dashboards", dashboards)] if dashboards else []
    for surface in surfaces:
        routes = [
            (route.path if route.method == "GET" else f"{route.method} {route.path}", route.about)
            for route in surface.routes
        ]
        sections.append(_section(f"JSON at {surface.prefix}" if surface.prefix else f"The {surface.title}", routes))
    return _PAGE.format(sections="\n".join(sections))


def _section(title: str, entries: Iterable[tuple[str, str]]) -> str:
    listed = "\n".join(f"<dt>{_link(path)}</dt><dd>{escape(about)}</dd>" for path, about in entries)
    return f"<h2>{escape(title)}</h2>\n<dl>\n{listed}\n</dl>"


def _link(path: str) -> str:
    """Link a path that can be followed as it is: no part is to be filled in, and it only reads."""
    return f'<a href="{escape(path)}">{escape(path)}</a>' if path.startswith("/") and "<" not in path else escape(path)

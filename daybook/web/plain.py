"""A page that says one thing: sign-in, and what went wrong. It needs no template of the pages, so that it always works."""

from collections.abc import Sequence
from typing import Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment

_ENVIRONMENT: Final = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_PAGE: Final = _ENVIRONMENT.from_string("""<!doctype html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} – Daybook</title>
<link rel="icon" href="/static/favicon.svg">
{% for sheet in sheets %}
<link rel="stylesheet" href="{{ sheet }}">
{% endfor %}
</head>
<body>
<main class="container plain">
<h1>{{ title }}</h1>
{% for paragraph in paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
{% if action %}
<form method="post" action="{{ action }}"><button type="submit" autofocus>{{ button }}</button></form>
{% endif %}
{% if home %}
<p><a href="/">To the queue</a></p>
{% endif %}
</main>
</body>
</html>
""")
SHEETS: Final = ("/static/vendor/pico.min.css", "/static/daybook.css")


def page(
    title: str, paragraphs: Sequence[str], *, status: int = 200, action: str | None = None, button: str = "", home: bool = True
) -> HTMLResponse:
    """A page with a heading, some sentences and perhaps one button that posts."""
    html = _PAGE.render(title=title, paragraphs=paragraphs, action=action, button=button, home=home, sheets=SHEETS)
    return HTMLResponse(html, status_code=status)

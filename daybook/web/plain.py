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
{% if command %}
<p><code>{{ command }}</code></p>
{% endif %}
{% if action %}
<form method="post" action="{{ action }}"><button type="submit" autofocus>{{ button }}</button></form>
{% endif %}
{% if link %}
<p><a class="button" href="{{ link[0] }}">{{ link[1] }}</a></p>
{% endif %}
{% for paragraph in below %}
<p>{{ paragraph }}</p>
{% endfor %}
{% if home %}
<p>{% if back %}<a href="{{ back[0] }}">{{ back[1] }}</a> · {% endif %}<a href="/">To the queue</a></p>
{% endif %}
</main>
</body>
</html>
""")
SHEETS: Final = ("/static/daybook.css",)


def page(
    title: str,
    paragraphs: Sequence[str],
    *,
    status: int = 200,
    command: str | None = None,
    action: str | None = None,
    button: str = "",
    link: tuple[str, str] | None = None,
    below: Sequence[str] = (),
    home: bool = True,
    back: tuple[str, str] | None = None,
) -> HTMLResponse:
    """A page with a heading, some sentences, perhaps a command to copy, and a button that posts or leads on (address, text).

    `home` leads to the queue, and `back` (address, text) to the list that somebody who went astray was looking in.
    """
    html = _PAGE.render(
        title=title,
        paragraphs=paragraphs,
        command=command,
        action=action,
        button=button,
        link=link,
        below=below,
        home=home,
        back=back,
        sheets=SHEETS,
    )
    return HTMLResponse(html, status_code=status)

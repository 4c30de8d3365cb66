"""The commands about the web: serve it, let people and programs in, look after the installation."""

from datetime import timedelta
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="Up to 64 letters, digits and . _ @ + -")]
Role = Annotated[str, typer.Option("--role", help="viewer (looks), biller (decides) or admin (all).")]
Json = Annotated[bool, typer.Option("--json", help="Print a list of objects with fixed keys.")]

user = typer.Typer(no_args_is_help=True, help="People who may sign in.")
token = typer.Typer(no_args_is_help=True, help="Tokens for programs that use the API.")


def register(app: typer.Typer) -> None:
    """Adds these commands to `daybook`."""
    app.add_typer(user, name="user")
    app.add_typer(token, name="token")
    app.command()(web)
    app.command("login-link")(login_link)
    app.command()(doctor)


def web(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8000,
) -> None:
    """Serve the pages and the API until told to stop."""
    from daybook.app import opened
    from daybook.printing import say
    from daybook.settings import load
    from daybook.web.serve import serve

    with opened(load()) as found:
        say(f"Daybook is at {found.settings.public_url or f'http://{host}:{port}'} (`daybook login-link NAME` signs in)")
        serve(found, host=host, port=port)


def login_link(name: Name) -> None:
    """Print the address that signs somebody in, once, within 15 minutes."""
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web.access import link_url
    from daybook.web.people import make_link

    with opened(load()) as found:
        typer.echo(link_url(found, make_link(found, name)))


def doctor(
    as_json: Json = False,
    only: Annotated[str, typer.Option("--only", help="Only checks whose name begins so, e.g. worker.")] = "",
) -> None:
    """What is wrong, and what to do; exit code 1 if something is."""
    from daybook import printing
    from daybook.doctor import examine
    from daybook.settings import load

    found = examine(load(), only)
    if not found:
        raise typer.BadParameter(f"--only {only!r}: no check begins so")
    if as_json:
        printing.as_json(found)
    else:
        rows = [(f.check, "yes" if f.ok else "NO", f.detail, f.what_to_do) for f in found]
        printing.table("doctor", ("check", "ok", "detail", "what to do"), rows)
    if not all(one.ok for one in found):
        raise typer.Exit(1)


@user.command("add")
def add_user(name: Name, role: Role) -> None:
    """Let somebody in, or give them another role."""
    from daybook.app import opened
    from daybook.printing import say
    from daybook.settings import load
    from daybook.web.people import add_person

    with opened(load()) as found:
        done = add_person(found, name, role)
    say(f"{name}: {role} ({done}); `daybook login-link {name}` signs in")


@user.command("remove")
def remove_user(name: Name) -> None:
    """Take somebody's access away, at once."""
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web.people import remove_person

    with opened(load()) as found:
        remove_person(found, name)
    typer.echo(f"{name} is out")


@user.command("sign-out")
def sign_out_user(name: Name) -> None:
    """End all of somebody's sessions, and the links not used yet."""
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web.people import sign_out_everywhere

    with opened(load()) as found:
        typer.echo(f"{sign_out_everywhere(found, name)} sessions ended")


@user.command("unlink")
def unlink_user(name: Name) -> None:
    """Free somebody from the provider's account they sign in with, and end their sessions; the next to come is bound."""
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web.identities import unlink

    with opened(load()) as found:
        freed = unlink(found, name)
    typer.echo(f"{name} is bound to no account (was: {freed}); their sessions are ended")


@user.command("list")
def list_users(as_json: Json = False) -> None:
    """Everybody who may sign in."""
    from daybook import printing
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web.people import people

    with opened(load()) as found:
        rows = people(found)
    if as_json:
        printing.as_json({"name": name, "role": role} for name, role in rows)
    else:
        printing.table("People", ("Name", "Role"), rows)


@token.command("add")
def add_token(
    name: Name, role: Role, days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How long it lasts.")] = 90
) -> None:
    """Make a token; it is printed once and kept nowhere."""
    from daybook import printing
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web import people

    with opened(load()) as found:
        made, expires_at = people.add_token(found, name, role, timedelta(days=days))
    typer.echo(made)
    printing.notice(f"{name}: {role} until {expires_at:%Y-%m-%d}; send it as `Authorization: Bearer ...`; it is not shown again")


@token.command("revoke")
def revoke_token(name: Name) -> None:
    """End a token, at once."""
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web import people

    with opened(load()) as found:
        people.revoke_token(found, name)
    typer.echo(f"{name} is revoked")


@token.command("list")
def list_tokens(as_json: Json = False) -> None:
    """The tokens in use."""
    from daybook import printing
    from daybook.app import opened
    from daybook.settings import load
    from daybook.web import people

    with opened(load()) as found:
        rows = people.tokens(found)
    if as_json:
        printing.as_json({"name": name, "role": role, "expires_at": expires_at} for name, role, expires_at in rows)
    else:
        printing.table("Tokens", ("Name", "Role", "Expires"), rows)

"""`python -m daybook.cli`, where the installed `daybook` is not on the path."""

from daybook.cli import main

main()

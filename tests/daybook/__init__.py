"""The front door: what each command says and how it ends."""

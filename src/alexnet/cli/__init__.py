"""The command line: it parses arguments, prints records and sets exit codes.

A verb is a function of the same name in `alexnet.commands`; `main` builds its command from the
signature and the docstring when it is chosen. Nothing here imports torch before a verb begins.
"""

__all__: list[str] = []

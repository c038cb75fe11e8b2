"""The command line: a module for each verb, with words and wiring and nothing of the work.

A verb is a function of the same name with the same parameters; `main` builds the command of its
signature and docstring when it is chosen. Nothing here imports torch before a verb begins.
"""

__all__: list[str] = []

"""A hook for MkDocs: the API reference, the pages of the root, links that leave docs/.

Three things, so that `mkdocs build --strict` holds every link and no page is listed by hand:

- an entry of the navigation with a `*` stands for all the pages that fit, in alphabetical order;
- `reference/` has one page for each room of the package, made of the names that the room's face
  lists; a new room appears by itself;
- README, CONTRIBUTING and CHANGELOG are pages of the site too, and a link to any other file of the
  repository leads to the reference where that file is described there, else to the repository.
"""

from __future__ import annotations

import ast
import posixpath
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "alexnet"
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"][
    "Repository"
]
ROOT_PAGES = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.M | re.S)
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_TIGHT = re.compile(r"^(<!-- [^\n]*? -->)\n(?=\|)|(?<=\|)\n(<!-- )", re.M)


@dataclass
class Face:
    """The public names of a room, by the module that holds them; what stands before them."""

    module: str
    names: dict[str, list[str]] = field(default_factory=dict)
    before: str = ""

    @property
    def page(self) -> str:
        """The page of the site that describes it."""
        return f"reference/{self.module.partition('.')[2] or 'index'}.md"

    def add(self, module: str, name: str) -> None:
        """Take a name in, once."""
        known = self.names.setdefault(module, [])
        if name not in known:
            known.append(name)

    def text(self) -> str:
        """Write the page: the room's docstring, then each module with the names that are public."""
        title = self.module.rpartition(".")[2]
        parts = [f"# {title}\n", _directive(self.module, ["members: false"]), self.before]
        for module, names in sorted(self.names.items()):
            shown = ", ".join(f'"{name}"' for name in names)
            parts += [
                f"## {module.removeprefix('alexnet.')} {{ #{module} }}\n",
                _directive(module, [f"members: [{shown}]", "heading_level: 3"]),
            ]
        return "\n".join(parts)


@cache
def faces() -> tuple[Face, ...]:
    """Read the package's face and each room's, without importing anything."""
    rooms: list[Face] = []
    for room in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        face = Face(f"alexnet.{room.name}")
        for folder in sorted(path.parent for path in room.rglob("__init__.py")):
            for module, name in _exported(folder):
                if module.startswith(f"{face.module}."):
                    face.add(module, name)
        rooms.append(face)
    return _everything(rooms), *rooms


def _everything(rooms: list[Face]) -> Face:
    """Return the face of the package: links to what rooms describe, and all else that is public."""
    face = Face("alexnet")
    links: dict[str, list[str]] = {}
    for module, name in _exported(PACKAGE):
        room = next((each for each in rooms if name in each.names.get(module, ())), face)
        if room is face:
            face.add(module, name)
        links.setdefault(f"[`{room.module}`]({Path(room.page).name})", []).append(
            f"[`{name}`][{module}.{name}]"
        )
    rows = [f"| {room} | {', '.join(names)} |\n" for room, names in sorted(links.items())]
    face.before = "".join(["| described in | names of `alexnet` |\n| --- | --- |\n", *rows])
    return face


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the navigation; the addresses come from pyproject.toml."""
    there = [path.relative_to(config.docs_dir).as_posix() for path in _pages(config)]
    there += [face.page for face in faces()]
    config.nav = _expanded(config.nav, sorted(there))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    for face in faces():
        files.append(File.generated(config, face.page, content=face.text()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Turn links out of docs/ into links that lead somewhere on the site, outside code blocks."""
    here = page.file.src_uri
    root_page = next((name for name, uri in ROOT_PAGES.items() if uri == here), None)
    folder = posixpath.dirname(root_page or f"docs/{here}")

    def link(found: re.Match[str]) -> str:
        if "://" in found[2] or found[2].startswith("mailto:"):
            return found[0]
        target = posixpath.normpath(posixpath.join(folder, found[2]))
        return f"{found[1]}{_on_site(target, found[3], here)}"

    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):
        pieces += [_prose(markdown[end : fence.start()], link), fence[0]]
        end = fence.end()
    return "".join([*pieces, _prose(markdown[end:], link)])


def _prose(text: str, link: Callable[[re.Match[str]], str]) -> str:
    r"""Write links as the site has them, and what GitHub's Markdown has and Python's has not.

    These are tables right behind a comment, and `\<` for a plain `<`.
    """
    apart = _TIGHT.sub(lambda mark: f"{mark[1]}\n\n" if mark[1] else f"\n\n{mark[2]}", text)
    return _LINK.sub(link, apart).replace("\\<", "&lt;")


def _on_site(target: str, rest: str, here: str) -> str:
    """Return the address of a file of the repository, as seen from a page, and what follows it."""
    if target in ROOT_PAGES:
        return _relative(ROOT_PAGES[target], here) + rest
    if target.startswith("docs/"):
        return _relative(target.removeprefix("docs/"), here) + rest
    if not (ROOT / target).exists():
        return target + rest  # a broken link stays one, and strict mode names it
    for face in faces():
        for module in face.names:
            if _file(module) == ROOT / target and rest == ")":
                return f"{_relative(face.page, here)}#{module})"
    return f"{REPOSITORY}/blob/main/{target}{rest}"


def _relative(target: str, here: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(here) or ".")


def _pages(config: MkDocsConfig) -> list[Path]:
    return sorted(Path(config.docs_dir).rglob("*.md"))


def _expanded(entry: Any, there: list[str]) -> Any:
    """Replace each pattern of the navigation by the pages that fit."""
    if isinstance(entry, list):
        return [each for item in entry for each in _several(item, there)]
    if isinstance(entry, dict):
        return {title: _expanded(inner, there) for title, inner in entry.items()}
    return entry


def _several(item: Any, there: list[str]) -> list[Any]:
    if isinstance(item, str) and "*" in item:
        return [page for page in there if fnmatchcase(page, item) and not page.endswith("index.md")]
    return [_expanded(item, there)]


def _directive(name: str, options: list[str]) -> str:
    lines = "".join(f"      {each}\n" for each in options)
    return f"::: {name}\n    options:\n{lines}"


def _exported(folder: Path) -> list[tuple[str, str]]:
    """Return the public names of a face, each after the module that holds it.

    They are read from the stub beside the face where it has one. In a room without public names
    (that of the verbs) those of its modules are public.
    """
    stub = folder / "__init__.pyi"
    tree = _tree(stub if stub.exists() else folder / "__init__.py")
    package = ".".join(folder.relative_to(PACKAGE.parent).parts)
    public = _all_of(tree)
    if not public:
        modules = sorted(folder.glob("[!_]*.py"))
        return [
            (f"{package}.{path.stem}", name) for path in modules for name in _all_of(_tree(path))
        ]
    names: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = f"{package}.{node.module}" if node.level else str(node.module)
            here = [each.name for each in node.names if (each.asname or each.name) in public]
            names += [_home(module, name) for name in here if module.startswith("alexnet.")]
    return names


def _home(module: str, name: str) -> tuple[str, str]:
    """Return the module that holds a name, where a face only hands it on."""
    path = _file(module)
    if path.name == "__init__.py":
        for inner, known in _exported(path.parent):
            if known == name:
                return inner, name
    return module, name


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _all_of(tree: ast.Module) -> list[str]:
    """Return what `__all__` lists."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [] if not isinstance(node.value, ast.List) else ast.literal_eval(node.value)
    return []


def _file(module: str) -> Path:
    """Return the file of a module, or the face of a room."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    module_file = path.with_suffix(".py")
    return module_file if module_file.exists() else path / "__init__.py"

# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent to the hosts runs there on Python 3.9 with nothing but its standard library."""

from __future__ import annotations

import ast
import sys

import pytest
from _collection import ROOT

TARGET_FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("modules", "module_utils")
    for path in (ROOT / "plugins" / folder).rglob("*.py")
)
ALLOWED_PACKAGES = ("ansible.module_utils", "ansible_collections.fastopen.shadowsocks.plugins.module_utils")


def parse(name: str) -> ast.Module:
    """The file's syntax tree; a SyntaxError where Python 3.9 would not take it, such as a match statement."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), filename=name, feature_version=(3, 9))


def imported_modules(tree: ast.Module) -> set[str]:
    """Full names of all modules that the file imports, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            names.add(node.module)
    return names


@pytest.mark.parametrize("name", TARGET_FILES)
def test_annotations_are_not_evaluated(name: str) -> None:
    futures = [node for node in parse(name).body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert any(alias.name == "annotations" for node in futures for alias in node.names)


@pytest.mark.parametrize("name", TARGET_FILES)
def test_imports_stay_within_the_standard_library_and_ansible(name: str) -> None:
    foreign = [
        module
        for module in sorted(imported_modules(parse(name)))
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith(ALLOWED_PACKAGES)
    ]
    assert not foreign, f"{name} imports {foreign}, which hosts need not have"


HOST_MODULES = [
    name for name in TARGET_FILES if "/modules/" in name and "import AnsibleModule" in (ROOT / name).read_text("utf-8")
]


@pytest.mark.parametrize("name", HOST_MODULES)
def test_a_module_looks_at_python_before_it_reads_our_code(name: str) -> None:
    """What an older one cannot read comes after that, and nothing is compiled twice."""
    body = [node for node in parse(name).body if not isinstance(node, ast.FunctionDef)]
    told = [ast.unparse(node) for node in body]
    ours = [line for line in told if line.startswith("from ansible_collections.")]
    assert ours[0].endswith(".module_utils import _python")
    assert told.index("_python.ready()") == told.index(ours[0]) + 1

# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx lays the pages of docs/ and the reference out, see tests/tools/site.py."""

project = "fastopen.shadowsocks"
copyright = "the fastopen.shadowsocks authors"
title = html_short_title = project
extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4  # #anchors as in the repository's own view of the same pages
html_theme = "sphinx_rtd_theme"  # without anything from elsewhere
html_show_sphinx = False
html_copy_source = False
html_use_index = False
pygments_style = "ansible"
default_role = "any"
suppress_warnings = ["ref.ref"]  # labels of ansible-core's own documentation, which is elsewhere

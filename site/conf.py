"""Sphinx's settings for the site; its pages come from tools/site.py."""

import nas_lab
from tools import links, mathjax, play

project = "NAS Lab"
author = "NAS Lab developers"
version = release = nas_lab.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/html", 1)]
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "tools.site.slug"
suppress_warnings = ["ref.python"]  # two ways to one class: exported, and where it is

napoleon_use_ivar = True
autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "NAS Lab"
html_static_path = ["_static"]
if mathjax.SCRIPT.is_file():
    html_static_path.append(str(mathjax.FOLDER))
    mathjax_path = mathjax.SCRIPT.relative_to(mathjax.FOLDER).as_posix()
if play.STATIC.is_dir():
    html_static_path.append(str(play.STATIC))
html_css_files = ["site.css", "play.css"]
html_js_files = [("play.js", {"defer": "defer"})]
html_sidebars = {
    page: []
    for page in ("index", "play", "bench", "README", "INSTRUCTORS", "CONTRIBUTING", "CHANGELOG")
}
html_copy_source = False
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "github_url": f"https://github.com/{links.home()}",
    "navbar_align": "left",
    "show_nav_level": 1,
    "header_links_before_dropdown": 4,
}

"""What mkdocs.yml leaves open follows from the repository: navigation from the notebooks' titles, links between notebooks,
model cards, a gallery that the models generate while the site is built, the API reference, and the site's address."""
import json
import logging
import os
import posixpath
import re
import shutil
import sys
import tempfile
from configparser import ConfigParser
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NBS = ROOT / "nbs"
sys.path.insert(0, str(ROOT)) # the package beside these notebooks
log = logging.getLogger("mkdocs.hooks.site")
scratch = tempfile.TemporaryDirectory()

SECTIONS = { # folder of nbs/ -> its name, and the introduction of its page
    "solutions": ("Solutions", "The exercises of every chapter, solved and run."),
    "library": ("Library", "What a library needs and a learner may skip: each notebook but one exports a module; that one tells what was tried for `photos-64`."),
    "tests": ("Tests", "What needs more than one notebook to test."),
}
LINK = re.compile(r'(`+)(?!`).*?(?<!`)\1(?!`)|(\]\(|src="|href=")(?![a-z]+:|#|/)([^)"\s]+)', re.DOTALL) # or code, which has none


def source(cell):
    return "".join(cell["source"])


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def heading(path):
    "Title and subtitle of a notebook: its `# ` line and the `> ` line below."
    text = "\n".join(source(cell) for cell in read(path)["cells"] if cell["cell_type"] == "markdown")
    title = re.search(r"^# +(.+)$", text, re.MULTILINE)
    subtitle = re.search(r"^> *(.+)$", text, re.MULTILINE)
    return title[1].strip() if title else path.stem, subtitle[1].strip() if subtitle else ""


def notebooks(folder):
    return sorted(path for path in folder.glob("[!.]*.ipynb") if path.stem != "index")


def modules():
    return sorted(path.stem for path in (ROOT / "t2i_diffusion").glob("[a-z]*.py"))


def cards():
    "The model cards of the package, by name."
    return {path.parent.name: path for path in sorted((ROOT / "t2i_diffusion").glob("pretrained/*/README.md"))}


# Navigation

def parts():
    "The parts of the course as index.ipynb lists them: name -> number of the first chapter."
    starts, name = {}, None
    text = "\n".join(source(cell) for cell in read(NBS / "index.ipynb")["cells"] if cell["cell_type"] == "markdown")
    for line in text.splitlines():
        part, chapter = re.match(r"\| *\*\*(.+?)\*\*", line), re.match(r"\| *(?:\[)?(\d\d) ", line)
        if part:
            name = part[1]
        elif chapter and name:
            starts.setdefault(name, int(chapter[1]))
    return starts


def course():
    "Every chapter, in the part that it belongs to; those before the first part stand alone."
    starts, nav = parts(), []
    groups = {name: [] for name in starts}
    for path in notebooks(NBS):
        number = path.stem[:2]
        entry = {f"{number} {heading(path)[0]}": path.name}
        before = [name for name in starts if starts[name] <= int(number)]
        (groups[before[-1]] if before else nav).append(entry)
    return nav + [{name: entries} for name, entries in groups.items() if entries]


@event_priority(100) # before mkdocstrings reads its options
def on_config(config):
    settings = ConfigParser(delimiters=["="])
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    settings = settings["DEFAULT"]
    if settings["doc_host"]:
        config.site_url = settings["doc_host"].rstrip("/") + "/" + settings["doc_baseurl"].strip("/") + "/"
    config.repo_url = settings["git_url"] or None

    def section(folder):
        entries = [{heading(path)[0]: f"{folder}/{path.name}"} for path in notebooks(NBS / folder)]
        return {SECTIONS[folder][0]: [f"{folder}/index.md", *entries]}

    config.nav = [
        {"Home": "index.ipynb"},
        {"Course": course()},
        section("solutions"),
        {"Models": ["models/index.md", *({name: f"models/{name}.md"} for name in cards())]},
        {"Library": [*section("library")["Library"], section("tests")]},
        {"API reference": ["reference/index.md", *({name: f"reference/{name}.md"} for name in modules())]},
    ]
    options = config.plugins["mkdocstrings"].config.handlers["python"]["options"]
    options["extensions"] = [str(HERE / "docments.py")]
    return config


# Pages

@event_priority(100) # before mkdocs-jupyter looks at the files
def on_files(files, config):
    def add(uri, **kwargs):
        if files.get_file_from_path(uri):
            files.remove(files.get_file_from_path(uri))
        files.append(File.generated(config, uri, **kwargs))
        return files.get_file_from_path(uri)

    for folder, (title, text) in SECTIONS.items():
        rows = [(*heading(path), path.name) for path in notebooks(NBS / folder)]
        table = "\n".join(f"| [{name}]({file}) | {delink(about)} |" for name, about, file in rows)
        add(f"{folder}/index.md", content=f"# {title}\n\n{text}\n\n| notebook | |\n| :--- | :--- |\n{table}\n")
    for module in modules():
        add(f"reference/{module}.md", content=f"# {module}\n\n::: t2i_diffusion.{module}\n")
    add("reference/index.md", content=reference())
    for name in ("site.css", "mathjax-config.js"):
        add(f"assets/{name}", abs_src_path=str(HERE / name))
    for name, path in mathjax().items():
        add(f"assets/mathjax/{name}", abs_src_path=str(path))
    for name in cards():
        add(f"models/{name}.md", content="")
    add("models/index.md", content=gallery_page(add))

    def page_of(path):
        "The file of the site that shows a file or a folder of the repository; other files are published as they are."
        name = path.relative_to(ROOT)
        if path.is_dir() and path.parent == NBS:
            return files.get_file_from_path(f"{path.name}/index.md")
        if path in cards().values():
            return files.get_file_from_path(f"models/{path.parent.name}.md")
        uri = (path.relative_to(NBS) if NBS in path.parents else name).as_posix()
        known = files.get_file_from_path(uri)
        if known and known.inclusion.is_included():
            return known
        if path.is_file():
            return add(uri + (".txt" if path.suffix in ("", ".py") else ""), abs_src_path=str(path))

    def relink(text, path, page):
        "Links of a file of the repository, as they must be on its page."
        def fix(match):
            if match[1]:
                return match[0]
            target, hash_, anchor = match[3].partition("#")
            found = Path(os.path.normpath(path.parent / target))
            other = page_of(found) if found.exists() and ROOT in found.parents else None
            if other is None:
                log.warning(f"{path.relative_to(ROOT)} links to {match[3]}, which is not in the repository.")
                return match[0]
            if page.src_uri.endswith(".md"):
                url = posixpath.relpath(other.src_uri, posixpath.dirname(page.src_uri))
            else:
                url = get_relative_url(address(other), address(page))
            return match[2] + url + hash_ + anchor
        return LINK.sub(fix, text)

    for path in [NBS / "index.ipynb", *(p for folder in (".", *SECTIONS) for p in notebooks(NBS / folder))]:
        uri = path.relative_to(NBS).as_posix()
        page = files.get_file_from_path(uri)
        shown = Path(scratch.name) / uri
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(json.dumps(as_shown(read(path), lambda text: relink(text, path, page))), encoding="utf-8")
        files.remove(page)
        files.append(File(uri, scratch.name, config.site_dir, config.use_directory_urls))
    for name, path in cards().items():
        page = files.get_file_from_path(f"models/{name}.md")
        text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        page.content_string = relink(text, path, page)
    return files


def address(file):
    "Of a page, also of a notebook before mkdocs-jupyter has made it one."
    if file.src_uri.endswith(".ipynb"):
        return re.sub(r"(^|/)index/$", r"\1", file.src_uri.removesuffix(".ipynb") + "/") or "./"
    return file.url


def delink(text):
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)


def as_shown(notebook, relink):
    "A notebook without nbdev's directives and the cells that they hide, and with links of the site."
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cells.append(cell | {"source": relink(source(cell))})
            continue
        lines = source(cell).splitlines()
        directives = {line for line in lines if line.startswith("#|")}
        code = "\n".join(line for line in lines if line not in directives)
        hidden = any(line.split()[1] in ("hide", "default_exp") for line in directives)
        if hidden or not (code.strip() or cell.get("outputs")):
            continue
        if "#| echo: false" in directives:
            cell["metadata"]["tags"] = ["hide_input"]
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                output["data"]["text/markdown"] = relink("".join(output["data"]["text/markdown"]))
        cells.append(cell | {"source": code.strip("\n")})
    return notebook | {"cells": cells}


def reference():
    "The modules with what each is for."
    rows = []
    for module in modules():
        about = re.match(r'"""(.*?)"""', (ROOT / f"t2i_diffusion/{module}.py").read_text(encoding="utf-8"), re.DOTALL)
        rows.append(f"| [`{module}`]({module}.md) | {' '.join(about[1].split()) if about else ''} |")
    text = "The package `t2i_diffusion`, one module a notebook. A module imports only from modules that it builds on."
    return f"# API reference\n\n{text}\n\n| module | |\n| :--- | :--- |\n" + "\n".join(rows) + "\n"


def mathjax():
    "MathJax as its package holds it: one script and its fonts, so that the site needs nothing from elsewhere."
    folder = Path(find_spec("mathjax").origin).parent / "static/mathjax/es5"
    fonts = sorted((folder / "output/chtml/fonts/woff-v2").glob("*.woff"))
    return {path.relative_to(folder).as_posix(): path for path in [folder / "tex-chtml.js", *fonts]}


def gallery_page(add):
    "What every model of the package generates, made now."
    from t2i_diffusion.checkpoints import packaged_checkpoints
    from t2i_diffusion.model_card import gallery
    from t2i_diffusion.pipeline import TextToImage, sampling_settings
    text = ["# Gallery", "What the models in the package generate: every prompt once, unselected, generated while this site was built."]
    for name in packaged_checkpoints():
        path = Path(scratch.name) / f"{name}.png"
        pipe = TextToImage.from_pretrained(name)
        image, call = gallery(pipe, sampling_settings(pipe.config))
        image.save(path)
        add(f"models/{name}.png", abs_src_path=str(path))
        text.append(f"## {name}\n\n![Images generated by {name}, each below its prompt]({name}.png){{ width=\"{image.width // 2}\" }}")
        text.append(f"```python\nfrom t2i_diffusion.pipeline import TextToImage\n\n"
                    f"pipe = TextToImage.from_pretrained(\"{name}\")\n{call}\n```\n\n"
                    f"What it was trained on and where it is weak: its [model card]({name}.md).")
    return "\n\n".join(text) + "\n"


# What nbconvert writes into every page again

styles = {}
REPEATED = [r"<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->", # ours is in extra_javascript
            r'<script type="module">\s*document\.addEventListener\("DOMContentLoaded".*?mermaid.*?</script>']


HEADING = re.compile(r'<h[1-6][^>]* id="([^"]+)"[^>]*>(.*?)</h[1-6]>', re.DOTALL)


def flat(toc):
    "The entries of a table of contents in their order, those below others too."
    for entry in toc:
        yield entry
        yield from flat(entry.children)


def on_page_content(html, page, config, files):
    "Styles go into files that the pages share, and the table of contents names the headings as they are."
    if not page.file.src_uri.endswith(".ipynb"):
        return html
    entries, headings = list(flat(page.toc)), HEADING.findall(html)
    if len(entries) != len(headings):
        log.warning(f"{page.file.src_uri} has {len(headings)} headings, and {len(entries)} in its table of contents.")
    for entry, (anchor, heading) in zip(entries, headings): # theirs loses code in headings
        entry.id, entry.title = anchor, re.sub(r"<[^>]+>|¶", "", heading).strip()
    for pattern in REPEATED:
        html = re.sub(pattern, "", html, flags=re.DOTALL)

    def share(match):
        name = f"assets/{sha256(match[1].encode()).hexdigest()[:12]}.css"
        styles[name] = match[1]
        return f'<link rel="stylesheet" href="{posixpath.relpath(name, page.file.url or ".")}">'
    return re.sub(r"<style[^>]*>(.*?)</style>", share, html, flags=re.DOTALL)


def on_post_build(config):
    for name, css in styles.items():
        (Path(config.site_dir) / name).write_text(css, encoding="utf-8")
    scratch.cleanup()

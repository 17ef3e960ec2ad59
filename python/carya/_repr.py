"""How trees and hits look in a terminal and in a notebook."""

from html import escape

_MAX_CHILDREN = 40  # of a node, that are shown
_MAX_NODES = 3000  # in all: a notebook stores what it shows
_STYLE = (
    "<style>.carya-tree details,.carya-tree .leaf{margin-left:1.2em}"
    ".carya-tree summary{cursor:pointer}.carya-tree .n{opacity:.6;font-variant-numeric:tabular-nums}"
    ".carya-tree .k{opacity:.75;font-size:90%}</style>"
)


def _shortened(text, n):
    text = " ".join(text.split())
    return text if len(text) <= n else text[: n - 1] + "…"


def _keywords_beyond_name(node):
    shown = node.name.split(", ")
    return ", ".join(word for word in node.keywords if word not in shown)


def tree_text(root, depth=2, width=100):
    """The first levels below a node, a line each: size, name, keywords."""
    lines = []

    def add(node, level):
        line = f"{node.size:>7}  {'  ' * level}{node.name}  [{node.index}]"
        keywords = _keywords_beyond_name(node) if level else ""
        lines.append(_ellipsis(line + (f"  {keywords}" if keywords else ""), width))
        if level < depth:
            for child in node.children[:_MAX_CHILDREN]:
                add(child, level + 1)

    def _ellipsis(line, n):
        return line if len(line) <= n else line[: n - 1] + "…"

    add(root, 0)
    return "\n".join(lines)


def tree_html(root):
    """A node and what is below it as nested <details>, everything escaped.

    Breadth first up to _MAX_NODES nodes, so that a large tree shows its upper levels whole.
    """
    shown, queue = {}, [root]
    n_nodes = 1
    while queue:
        node = queue.pop(0)
        children = node.children
        kept = children[: min(_MAX_CHILDREN, max(0, _MAX_NODES - n_nodes))]
        n_nodes += len(kept)
        shown[node.index] = (kept, len(children) - len(kept))
        queue.extend(kept)

    def html_of(node, is_open):
        kept, n_hidden = shown[node.index]
        label = f'<b>{escape(node.name)}</b> <span class="n">{node.size}</span>'
        keywords = _keywords_beyond_name(node)
        if keywords:
            label += f' <span class="k">{escape(keywords)}</span>'
        if not kept and not n_hidden:
            return f'<div class="leaf">{label}</div>'
        inner = "".join(html_of(child, False) for child in kept)
        if n_hidden:
            inner += f'<div class="leaf n">and {n_hidden} more</div>'
        opened = " open" if is_open else ""
        return f"<details{opened}><summary>{label}</summary>{inner}</details>"

    return f'{_STYLE}<div class="carya-tree">{html_of(root, True)}</div>'


def atlas_html(atlas):
    """A line of what the atlas is, then its tree."""
    info = atlas.info
    head = f"{info['n_items']} items, {info['n_nodes'] - 1} topics, {info['encoder']}"
    return f"<div><b>{escape(str(atlas.path))}</b>: {escape(head)}</div>" + tree_html(atlas.tree.root)


def hits_table(hits):
    """Hits as a table: score, text, id."""
    rows = "".join(
        f"<tr><td>{hit.score:.3g}</td><td style='text-align:left'>"
        f"{escape(_shortened(hit.text, 200))}</td><td>{escape(hit.id)}</td></tr>"
        for hit in hits
    )
    head = "<tr><th>score</th><th style='text-align:left'>text</th><th>id</th></tr>"
    return f"<table>{head}{rows}</table>"

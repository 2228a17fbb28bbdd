"""A griffe extension: what the package says in comments beside parameters, results and fields goes into the API reference.
The notebooks document a function as `fastcore.docments` has it, one parameter a line."""
import re
import tokenize
from functools import lru_cache

from griffe import (
    Docstring, DocstringParameter, DocstringReturn, DocstringSectionParameters, DocstringSectionReturns,
    DocstringSectionText, Extension)


@lru_cache
def comments(path):
    "Line number -> the comment behind its code, of a file."
    with open(path, "rb") as file:
        tokens = [t for t in tokenize.tokenize(file.readline) if t.type == tokenize.COMMENT]
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if not re.match(r"\s*#", t.line)}


class Docments(Extension):
    def on_function_instance(self, *, node, func, **kwargs):
        beside = comments(str(func.filepath))
        arguments = [*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg]
        lines = {a.arg: a.lineno for a in arguments if a and a.lineno > node.lineno}
        parameters = [
            DocstringParameter(p.name, annotation=p.annotation, description=beside[lines[p.name]], value=p.default)
            for p in func.parameters if lines.get(p.name) in beside]
        after = max([node.lineno - 1, *lines.values()])
        result = [beside[line] for line in range(after + 1, node.body[0].lineno) if line in beside]
        if not parameters and not result:
            return
        sections = [DocstringSectionText(func.docstring.value)] if func.docstring else []
        if parameters:
            sections.append(DocstringSectionParameters(parameters))
        if result:
            returns = DocstringReturn(name="", annotation=func.returns, description=result[0])
            sections.append(DocstringSectionReturns([returns]))
        func.docstring = func.docstring or Docstring("", parent=func)
        func.docstring.__dict__["parsed"] = sections # what griffe would make of the text alone

    def on_attribute_instance(self, *, node, attr, **kwargs):
        comment = comments(str(attr.filepath)).get(node.lineno)
        if comment and not attr.docstring:
            attr.docstring = Docstring(comment, parent=attr)

"""Draws mutations of a module's syntax tree, the same for a seed."""

import ast
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy

from tests.mutants.mutant import Mutant
from tests.mutants.planting import path_of

_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPPOSITE = {"min": "max", "max": "min", "any": "all", "all": "any", "add": "discard", "discard": "add"}


def draw(modules: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Return mutations spread evenly over modules; fewer where there are no more."""
    chance = random.Random(seed)
    pools = {module: list(mutations(module)) for module in sorted(modules)}
    for pool in pools.values():
        chance.shuffle(pool)
    drawn: list[Mutant] = []
    while len(drawn) < count and any(pools.values()):
        full = [module for module, pool in pools.items() if pool]
        chance.shuffle(full)
        drawn += [pools[module].pop() for module in full[: count - len(drawn)]]
    return drawn


def mutations(module: str) -> Iterator[Mutant]:
    """Yield every mutation of a module that compiles and is another program."""
    source = path_of(module).read_text(encoding="utf-8")
    tree = ast.parse(source)
    whole = ast.dump(tree)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = source.splitlines()

    def place(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    for node, after, kind in _changes(tree):
        if not isinstance(node, ast.expr | ast.stmt) or node.end_lineno is None or node.end_col_offset is None:
            continue
        start, end = place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)
        text = f"({after})" if isinstance(node, ast.expr) else after
        changed = source[:start] + text + source[end:]
        try:
            if ast.dump(ast.parse(changed)) == whole:
                continue
        except SyntaxError:
            continue
        name = f"{module}:{node.lineno}:{node.col_offset} {kind}"
        yield Mutant(name=name, module=module, before=source[start:end], after=text, breaks=kind, at=start)


def _changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    for node in _walk(tree):
        match node:
            case ast.Compare(ops=[op]):
                other = deepcopy(node)
                other.ops = [_SWAPPED[type(op)]()]
                yield node, ast.unparse(other), "swap comparison"
            case ast.BoolOp():
                turned = deepcopy(node)
                turned.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
                yield node, ast.unparse(turned), "swap and, or"
                for left_out in range(len(node.values)):
                    rest = [value for at, value in enumerate(node.values) if at != left_out]
                    kept = rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)
                    yield node, ast.unparse(kept), f"drop condition {left_out + 1}"
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                yield node, str(value + 1), "off by one"
            case ast.Constant(value=bool() as value):
                yield node, str(not value), "swap true, false"
            case ast.Call(func=ast.Name(id=name)) if name in _OPPOSITE:
                opposite = deepcopy(node)
                opposite.func = ast.Name(id=_OPPOSITE[name])
                yield node, ast.unparse(opposite), f"swap {name}, {_OPPOSITE[name]}"
            case ast.Call(func=ast.Name(id="replace")):
                for left_out in range(len(node.keywords)):
                    shorter = deepcopy(node)
                    del shorter.keywords[left_out]
                    yield node, ast.unparse(shorter), f"drop argument {node.keywords[left_out].arg}"
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise():
                yield node, "pass", "drop statement"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield node, "pass", "drop assignment"
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node.test, f"not ({ast.unparse(node.test)})", "negate condition"


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what decides something: no annotation, no log line, no words (which have positions of their own)."""
    if isinstance(node, ast.JoinedStr) or _is_log(node):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _is_log(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return is_call and ast.unparse(node).startswith(("self._log.", "log.", "_log."))

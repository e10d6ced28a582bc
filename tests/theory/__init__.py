"""The theory of attacks and certificates, each statement tried against exact finite problems.

`try_theory(1000)` gives a row for every statement: violations, and how nearly the bound was
attained. A bound that is never nearly attained could be wrong by that factor unnoticed, and its
row says so.
"""

from theory.comparison import Comparison
from theory.registry import STATEMENTS, try_theory
from theory.statements import Material, Row, Statement, material, try_statement

__all__ = [
    "STATEMENTS",
    "Comparison",
    "Material",
    "Row",
    "Statement",
    "material",
    "try_statement",
    "try_theory",
]

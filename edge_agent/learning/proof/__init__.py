"""The proof sheet: what a change of knowledge does to what was known, shown before it is made."""

from edge_agent.learning.proof.comparison import State, prove
from edge_agent.learning.proof.page import proof_page
from edge_agent.learning.proof.sheet import Occasion, ProofSheet
from edge_agent.learning.proof.shift import MAX_PARTS
from edge_agent.learning.proof.text import proof_lines, summary

__all__ = ["MAX_PARTS", "Occasion", "ProofSheet", "State", "proof_lines", "proof_page", "prove", "summary"]

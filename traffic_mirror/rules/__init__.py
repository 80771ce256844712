"""Rules: a spec compiled into what decides which request is copied, and how often. Pure."""

from traffic_mirror.rules.ruleset import Explanation, Miss, Route, RuleSet, compile_rules

__all__ = ["Explanation", "Miss", "Route", "RuleSet", "compile_rules"]

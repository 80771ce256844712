"""Two responses and a policy in, a verdict out: pure, within a budget."""

from traffic_mirror.compare.budget import Budget
from traffic_mirror.compare.groups import Groups, Way
from traffic_mirror.compare.judge import judge
from traffic_mirror.compare.latency import Histogram, Latencies, Pair, bucket_of
from traffic_mirror.compare.learning import Baselines, Lesson
from traffic_mirror.compare.model import Answer, Difference, SetAside, Verdict
from traffic_mirror.compare.policy import Policy, PolicyUse, check_policy, compile_policy

__all__ = [
    "Answer",
    "Baselines",
    "Budget",
    "Difference",
    "Groups",
    "Histogram",
    "Latencies",
    "Lesson",
    "Pair",
    "Policy",
    "PolicyUse",
    "SetAside",
    "Verdict",
    "Way",
    "bucket_of",
    "check_policy",
    "compile_policy",
    "judge",
]

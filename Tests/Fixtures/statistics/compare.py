#!/usr/bin/env python3
"""Compares samples with SciPy and prints the cases as JSON: `compare.py > scipy.json`.

The test of ChaosSteadyState's statistics reads scipy.json, and runs this again where SciPy is installed.
"""

import json
import math
import random

from scipy.stats import mannwhitneyu, norm


def exact_end(m, n):
    """The smallest u with P(U <= u) >= 0.025, by counting the subsets of ranks."""
    ways = [[0] * (m * n + 1) for _ in range(m + 1)]
    ways[0][0] = 1
    for rank in range(m + n):
        for chosen in range(min(m, rank + 1), 0, -1):
            gain = rank - (chosen - 1)
            for u in range(m * n, gain - 1, -1):
                ways[chosen][u] += ways[chosen - 1][u - gain]
    total = sum(ways[m])
    seen = 0
    for u, count in enumerate(ways[m]):
        seen += count
        if seen >= 0.025 * total:
            return u
    return m * n


def case(name, first, second):
    differences = sorted(b - a for a in first for b in second)
    count = len(differences)
    m, n = len(first), len(second)
    has_ties = len(set(first + second)) < m + n
    exact = min(m, n) <= 8 and not has_ties
    if exact:
        end = exact_end(min(m, n), max(m, n))
    else:
        deviation = (m * n * (m + n + 1) / 12) ** 0.5
        end = math.floor(m * n / 2 - norm.ppf(0.975) * deviation)
    rank = min(max(1, end), (count + 1) // 2)
    wins = sum((b > a) - (b < a) for a in first for b in second)
    test = mannwhitneyu(second, first, alternative="two-sided")
    normal = mannwhitneyu(second, first, alternative="two-sided", method="asymptotic")
    result = {
        "name": name,
        "first": first,
        "second": second,
        "u": float(test.statistic),
        "p_auto": float(test.pvalue),
        "p_asymptotic": float(normal.pvalue),
        "method": "exact" if exact else "asymptotic",
        "shift": (differences[(count - 1) // 2] + differences[count // 2]) / 2,
        "low": differences[rank - 1],
        "high": differences[count - rank],
        "delta": wins / count,
    }
    if not has_ties and m * n <= 2000:
        counted = mannwhitneyu(second, first, alternative="two-sided", method="exact")
        result["p_exact"] = float(counted.pvalue)
    return result


def main():
    dice = random.Random(1955)

    def floats(count, middle=0.0):
        return [round(dice.gauss(middle, 1), 6) for _ in range(count)]

    def ties(count, top):
        return [float(dice.randint(0, top)) for _ in range(count)]

    cases = [
        case("the smallest that is compared", floats(8), floats(8, 1)),
        case("apart from each other", [float(x) for x in range(8)], [float(x) for x in range(10, 18)]),
        case("the other way round", [float(x) for x in range(10, 18)], [float(x) for x in range(8)]),
        case("one side of eight", floats(8), floats(12, 0.5)),
        case("eight and many", floats(8), floats(200, 0.3)),
        case("many and eight", floats(200), floats(8, -0.7)),
        case("nine a side", floats(9), floats(9, 1)),
        case("thirty and forty", floats(30), floats(40, 0.4)),
        case("three hundred a side", floats(300), floats(300, 0.1)),
        case("ties of eight", ties(8, 5), ties(8, 7)),
        case("many ties", ties(50, 4), ties(60, 5)),
        case("all the same", [1.0] * 10, [1.0] * 12),
        case("mostly zero", [0.0] * 28 + [0.02, 0.04], [0.0] * 20 + ties(10, 3)),
        case("two constants", [0.0] * 9, [1.0] * 9),
        case("latencies", [round(abs(x) / 100, 7) for x in floats(25)], [round(abs(x) / 80 + 0.1, 7) for x in floats(31)]),
    ]
    print("[\n" + ",\n".join(json.dumps(case, sort_keys=True) for case in cases) + "\n]")


if __name__ == "__main__":
    main()

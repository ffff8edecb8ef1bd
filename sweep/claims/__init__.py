"""The papers' sentences, judged: predicates of `search_spaces.claim` on a record or on print.

`judge.judge` is the way in; the rules are in `families` (comparisons), `criteria` (resampled
means), `numbers` (quoted numbers), `costs` and `curves`, what they read in `evidence`, their power
in `power`. docs/claims.md says them in words.
"""

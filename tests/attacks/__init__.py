"""Attacks that servers on people's computers have fallen to, tried on ours.

Each test names what it mirrors. What a real browser does to keep or break these promises is in
`tests/browser`; parsers and time-outs have tests of their own in `crates/server`.
"""

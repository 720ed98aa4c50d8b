"""The use cases: read, compute, write, and record where every number came from; the only place where rooms meet.

A service takes a frozen request, prints nothing and returns a frozen result. Progress and words for a person leave
through two callables, ``progress(stage, fraction)`` and ``say(sentence)``.
"""

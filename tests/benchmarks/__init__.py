"""How fast, how small and how frugal: one table, printed by ``python -m tests.benchmarks``.

Every figure is a ratio within one run or a bounded resource, so that it means the same on
another machine. Nothing here is a test: pytest does not look into this folder.
"""

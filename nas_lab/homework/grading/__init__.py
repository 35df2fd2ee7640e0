"""Grading hand-ins that may be broken or hostile: ``python -m nas_lab.homework grade``.

``owners`` says whose a file is, ``runner`` runs a notebook inside a sandbox that ``boxes`` starts,
``channel`` talks to it, ``grade`` compares, ``batch`` does so for a class, ``tables`` and
``report`` write what was found, ``similarity`` finds copies. What is right is decided outside of
the sandbox: the references never enter it, and only plain data leave it."""

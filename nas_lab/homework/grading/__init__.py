"""Grade hand-ins that may be broken or hostile: ``python -m nas_lab.homework grade``.

``hand_ins`` reads files, ``runner`` runs a notebook inside a sandbox that ``boxes`` starts,
``channel`` talks to it, ``grade`` compares, ``batch`` does so for a class, ``report`` writes pages,
tables and the leaderboard. What is right is decided outside of the sandbox: the references never
enter it, and only plain data leave it."""

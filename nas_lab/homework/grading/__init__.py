"""Grade hand-ins that may be broken or hostile: ``python -m nas_lab.homework grade``.

A hand-in runs in a box (``boxes``) that gets inputs and returns results (``talking``). What is
right is decided out here: the references never enter the box, and only plain data leave it.
"""

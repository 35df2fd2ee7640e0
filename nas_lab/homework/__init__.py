"""Exercises that answer, ``check("01.q1", my_function)``, and homework that is graded."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["drivers", "grading", "homeworks", "lessons", "notebooks", "question"],
    submod_attrs={"checking": ["Report", "check", "progress"], "notebooks": ["pack"]},
)

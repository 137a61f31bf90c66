"""The templates that are always there: each file declares one, `builtin/<its name>`.

They open any .blend that a job names. What they need of one another is in `aiobpy.worker`.
"""

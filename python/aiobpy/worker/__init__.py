"""A worker process: a Blender that stays open and makes what its supervisor hands it.

It talks to its supervisor over the link that it was started with, through two Rust threads that go
on while Blender's main thread is blocked in a render (`aiobpy._native.WorkerLink`).
"""

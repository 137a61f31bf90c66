"""Blender over REST: what is served below `/api/v1` by a server that runs in a Blender.

Functions of plain values: names, paths and what JSON can say go in and come out. Every data-block
is looked up anew by its name; none is kept across an `await`. Only `site` knows of requests, and
only it is loaded by the server, when it starts in a process that has `bpy`.
"""

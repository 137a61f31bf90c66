"""A Jupyter kernel inside Blender, on the loop that all add-ons of this process share.

It is IPython's own kernel, `ipykernel` 7, which the user installs: nothing else in aiobpy imports
this package. Cells run on Blender's main thread, so that they may use `bpy`; while one awaits, the
loop and Blender's interface go on. `aiobpy jupyter install` tells Jupyter about it.

Attributes:
    OLDEST_IPYKERNEL: The first major version that fits.
"""

OLDEST_IPYKERNEL = 7

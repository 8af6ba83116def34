"""Trees of files for the ``sbom`` room: a folder, or an image from an OCI layout or any other provider of blobs.

Trees are hostile until proven otherwise: nothing outside the root is ever opened, devices and pipes are never opened,
and archives are read as streams under limits of size, ratio, number and time, without being unpacked to disk.
"""

from __future__ import annotations

from chainward.adapters.tree.directory import DirectoryTree
from chainward.adapters.tree.image import ImageTree
from chainward.adapters.tree.layout import LayoutBlobs, image_in_layout
from chainward.adapters.tree.limits import Limits

__all__ = ["DirectoryTree", "ImageTree", "LayoutBlobs", "Limits", "image_in_layout"]

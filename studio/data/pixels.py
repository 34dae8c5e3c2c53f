"""The only file that makes tensors of pictures and masks: the pixels that are trained, and what of a latent counts."""

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from studio.data.buckets import CENTRE, Box, Focus
from studio.data.image import cropped, cropped_mask


def pixels(picture: Image.Image, size: tuple[int, int], flip: bool = False, focus: Focus = CENTRE) -> Tensor:
    """`cropped`, mirrored where told, as (3, height, width) float32 in -1..1."""
    part = cropped(picture, size, focus)
    if flip:
        part = ImageOps.mirror(part)
    return torch.from_numpy(np.array(part, dtype=np.float32)).permute(2, 0, 1) / 127.5 - 1


def cells(mask: Image.Image, picture: tuple[int, int], box: Box, grid: tuple[int, int]) -> Tensor:
    """The share of each latent cell that ``mask`` covers, (1, 1, h, w) float32 in 0..1.

    ``picture`` is the (width, height) of the picture that it belongs to, ``box`` the part of that which is trained,
    ``grid`` the (h, w) of its latent.
    """
    part = cropped_mask(mask, picture, box, (grid[1], grid[0]))
    return torch.from_numpy(np.array(part, dtype=np.float32))[None, None] / 255

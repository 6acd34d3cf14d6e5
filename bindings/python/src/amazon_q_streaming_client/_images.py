# SPDX-License-Identifier: Apache-2.0
"""Images as the service takes them."""

from __future__ import annotations

import os
from typing import BinaryIO, Iterable, Optional, Union

from typing_extensions import TypeAlias

from ._errors import QConfigurationError
from .models import ImageBlock, ImageFormat, ImageSourceBytes

__all__ = ["Image", "image"]

IMAGES_MAX = 10
"""Images of one request."""

IMAGE_BYTES_MAX = 10 * 1024 * 1024
"""Bytes of one image, as it is in its file."""

Image: TypeAlias = Union[ImageBlock, str, os.PathLike[str], bytes, BinaryIO]
"""What `images=` takes: what image() made, or what it takes."""


def image(
    source: Union[str, os.PathLike[str], bytes, BinaryIO],
    format: Optional[Union[ImageFormat, str]] = None,
) -> ImageBlock:
    """An image to send: a file's path, its bytes, or a file that is open for reading bytes.

    format: "png", "jpeg", "gif" or "webp"; without it, recognised by the first bytes.

    Raises QConfigurationError for what is not such an image or larger than 10 MiB, and OSError for
    a file that cannot be read.
    """
    name, data = _read(source)
    if not data:
        raise QConfigurationError(f"{name}: is empty, pass an image")
    if len(data) > IMAGE_BYTES_MAX:
        raise QConfigurationError(
            f"{name}: is larger than {IMAGE_BYTES_MAX} bytes, make it smaller"
        )
    known = _recognised(data) if format is None else _named(name, format)
    if known is None:
        raise QConfigurationError(
            f"{name}: is not recognised, pass a PNG, JPEG, GIF or WebP image, or say which it is "
            "with format="
        )
    return ImageBlock(format=known, source=ImageSourceBytes(bytes=data))


def image_blocks(images: Iterable[Image]) -> list[ImageBlock]:
    """The images of one request."""
    if isinstance(images, (str, bytes, os.PathLike)):
        raise QConfigurationError("images: must be a list of images, put this one into a list")
    blocks = [item if isinstance(item, ImageBlock) else image(item) for item in images]
    if len(blocks) > IMAGES_MAX:
        raise QConfigurationError(
            f"images: {len(blocks)} are too many, a request has at most {IMAGES_MAX}"
        )
    for at, block in enumerate(blocks):
        source = block.source
        if isinstance(source, ImageSourceBytes) and len(source.bytes) > IMAGE_BYTES_MAX:
            raise QConfigurationError(
                f"images: number {at + 1} is larger than {IMAGE_BYTES_MAX} bytes, make it smaller"
            )
    return blocks


def _read(source: Union[str, os.PathLike[str], bytes, BinaryIO]) -> tuple[str, bytes]:
    """A name for errors, and the bytes: no more than it takes to see that they are too many."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "image", bytes(source)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return f"image {os.fspath(source)!r}", file.read(IMAGE_BYTES_MAX + 1)
    if not hasattr(source, "read"):
        raise QConfigurationError(
            f"image: must be a path, bytes or an open file, not {type(source).__name__}"
        )
    data = source.read(IMAGE_BYTES_MAX + 1)
    if not isinstance(data, bytes):
        raise QConfigurationError("image: the file gives text, open it with mode 'rb'")
    return "image", data


def _recognised(data: bytes) -> Optional[ImageFormat]:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ImageFormat.GIF
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    return None


def _named(name: str, format: Union[ImageFormat, str]) -> ImageFormat:
    wanted = str(format).lower()
    try:
        return ImageFormat("jpeg" if wanted == "jpg" else wanted)
    except ValueError:
        raise QConfigurationError(
            f"{name}: format {format!r} is unknown, use png, jpeg, gif or webp"
        ) from None

# SPDX-License-Identifier: Apache-2.0
"""image(): from what a program has to what the service takes."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest

import amazon_q_streaming_client as q
from amazon_q_streaming_client import image
from amazon_q_streaming_client._images import IMAGE_BYTES_MAX

PNG = b"\x89PNG\r\n\x1a\n" + b"the rest"
KINDS = [
    (PNG, "png"),
    (b"\xff\xd8\xff\xe0 the rest", "jpeg"),
    (b"GIF87a the rest", "gif"),
    (b"GIF89a the rest", "gif"),
    (b"RIFF\x10\0\0\0WEBPVP8 the rest", "webp"),
]


@pytest.mark.parametrize(("data", "format"), KINDS)
def test_the_format_is_recognised_by_the_first_bytes(data: bytes, format: str) -> None:
    block = image(data)
    assert block.format == format
    assert block.to_wire() == {
        "format": format,
        "source": {"bytes": base64.b64encode(data).decode()},
    }


def test_a_path_as_string_or_object_and_an_open_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        assert image(path) == image(str(path)) == image(file) == image(PNG)
    assert image(bytearray(PNG)) == image(PNG)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["jpeg", "jpg", "JPG", q.models.ImageFormat.JPEG])
def test_a_format_that_is_given_is_believed(format: str) -> None:
    assert image(b"unusual", format).format == "jpeg"


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(q.QConfigurationError, match="format 'bmp' is unknown, use png"):
        image(PNG, "bmp")


@pytest.mark.parametrize("data", [b"BM a bitmap", b"RIFF\x10\0\0\0WAVE"])
def test_what_is_not_recognised_is_refused_by_its_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(q.QConfigurationError, match=r"picture\.png': is not recognised"):
        image(path)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(q.QConfigurationError, match="is empty"):
        image(b"")


def test_an_image_has_at_most_ten_mebibytes(tmp_path: Path) -> None:
    largest = PNG + bytes(IMAGE_BYTES_MAX - len(PNG))
    assert image(largest).format == "png"
    path = tmp_path / "large.png"
    path.write_bytes(largest + b"x")
    for source in (path, largest + b"x", io.BytesIO(largest + b"x")):
        with pytest.raises(q.QConfigurationError, match="larger than 10485760 bytes"):
            image(source)


def test_a_file_that_cannot_be_read_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        image(tmp_path / "none.png")


def test_a_file_of_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(q.QConfigurationError, match="mode 'rb'"):
        image(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(q.QConfigurationError, match="not int"):
        image(7)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_images_are_sent_as_blocks_or_as_what_makes_them(client: Any, service: Any) -> None:
    async with client:
        await client.stream("look", images=[image(PNG), PNG]).text()
    (request,) = service.requests("GenerateAssistantResponse")
    sent = request["body"]["conversationState"]["currentMessage"]["userInputMessage"]["images"]
    assert [item["format"] for item in sent] == ["png", "png"]


def test_a_request_has_at_most_ten_images(sync_client: Any, service: Any) -> None:
    assert sync_client.stream("look", images=[PNG] * 10).text()
    with pytest.raises(q.QConfigurationError, match="images: 11 are too many"):
        sync_client.stream("look", images=[PNG] * 11)
    assert service.calls("GenerateAssistantResponse") == 1


def test_images_made_by_hand_are_checked_too(sync_client: Any) -> None:
    large = q.models.ImageSourceBytes(bytes=bytes(IMAGE_BYTES_MAX + 1))
    block = q.ImageBlock(format="png", source=large)
    with pytest.raises(q.QConfigurationError, match="number 2 is larger"):
        sync_client.stream("look", images=[image(PNG), block])
    with pytest.raises(q.QConfigurationError, match="number 1 is larger"):
        sync_client.stream(q.UserInputMessage(content="look", images=[block]))

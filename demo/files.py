"""The demo's documents as files: small, real, and the same on every run."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from demo.agencies import Row
from sync_daemon.config import Settings

SIDE = 48


def write_files(settings: Settings, documents: Iterable[Row]) -> int:
    """Writes each document's file to the storage if all tenants share a folder; returns how many were new."""
    root = urlsplit(settings.c360_storage_root)
    if root.scheme != "file" or "{" in root.path:
        return 0
    written = 0
    for row in documents:
        path = Path(unquote(root.path)) / str(row["storage_path"])
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_content(str(row["mime_type"]), f"{row['document_type']} {row['id']}"))
            written += 1
    return written


def _content(mime_type: str, title: str) -> bytes:
    match mime_type:
        case "application/pdf":
            return _pdf(title)
        case "image/png":
            return _png(title)
        case _:
            return f"{{\\rtf1\\ansi {title}\\par}}".encode("ascii")


def _pdf(title: str) -> bytes:
    """One page with one line."""
    drawn = f"BT /F1 14 Tf 60 760 Td ({title}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
    )
    page, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(page))
        page += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(page))
    return page + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


def _png(title: str) -> bytes:
    """A small picture whose colours are the title's own."""
    colour = zlib.crc32(title.encode()).to_bytes(4, "big")[:3]
    rows = b"".join(b"\0" + colour * SIDE for _ in range(SIDE))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )

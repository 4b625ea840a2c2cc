#!/usr/bin/env python3
"""Write the content of a sandkeeper backup as a tar stream to standard output, without sandkeeper.

    python3 open-backup.py BACKUPS/alpha/20261121T101500Z-1f3a | tar -xpf - -C /tmp/alpha --numeric-owner
    python3 open-backup.py BACKUPS/alpha/20261121T101500Z-1f3a KEY-FILE | tar -xpf - -C /tmp/alpha --numeric-owner

It needs python3 and the zstd command, and for an encrypted backup the age command and the file with the private key. The folder is that of
one backup; what it shares with others is read from the folders beside it and from .packs there. Python has no BLAKE3, so this proves less
than "sandkeeper backups verify --read-data": the SHA-256 of the backup's own files, and of the others the checksums that zstd keeps of
each frame. Encrypted packs are decrypted into the temporary folder (TMPDIR), into files that have no name and are gone at the end.
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile


def unpack(packed):
    return subprocess.run(["zstd", "-dcq"], input=packed, stdout=subprocess.PIPE, check=True).stdout


def decrypt(path, key):
    """The content of an encrypted file, in a temporary one."""
    if key is None:
        sys.exit("%s is encrypted: give the file with the private key behind the folder of the backup" % path)
    plain = tempfile.TemporaryFile()
    if subprocess.run(["age", "-d", "-i", key, path], stdout=plain).returncode != 0:
        sys.exit("%s cannot be decrypted with %s" % (path, key))
    plain.seek(0)
    return plain


class Pack:
    """The blocks of one backup: zstd frames, and behind them a table that says which block is where."""

    def __init__(self, path, key):
        self.file = decrypt(path, key) if path.endswith(".age") else open(path, "rb")
        self.cached = (None, b"")
        self.file.seek(-28, os.SEEK_END)
        foot = self.file.read(28)
        if foot[20:] != b"sandpack":
            sys.exit("%s has no table at its end: it is damaged" % path)
        length = struct.unpack("<I", foot[:4])[0]
        self.file.seek(-28 - length, os.SEEK_END)
        table = unpack(self.file.read(length))
        frames, blocks = struct.unpack_from("<II", table)
        starts, at, sizes = [], 0, []
        for i in range(frames):
            size, raw = struct.unpack_from("<II", table, 8 + 24 * i)
            starts.append((at, size))
            sizes.append(raw)
            at += size
        self.where, frame, offset = {}, 0, 0
        for i in range(blocks):
            number, length = struct.unpack_from("<II", table, 8 + 24 * frames + 32 * i)
            if offset == sizes[frame]:
                frame, offset = frame + 1, 0
            self.where[number] = (starts[frame], offset, length)
            offset += length

    def block(self, number):
        frame, offset, length = self.where[number]
        if self.cached[0] != frame:
            self.file.seek(frame[0])
            self.cached = (frame, unpack(self.file.read(frame[1])))
        return self.cached[1][offset:offset + length]


def check(backup, file):
    """Compare a file of the backup with what its manifest says."""
    digest = hashlib.sha256()
    with open(os.path.join(backup, file["file"]), "rb") as content:
        for piece in iter(lambda: content.read(1 << 20), b""):
            digest.update(piece)
    if digest.hexdigest() != file["sha256"]:
        sys.exit("%s is damaged: its SHA-256 is not the one in manifest.json" % file["file"])
    print("%s: OK" % file["file"], file=sys.stderr)


def retired(folder, pack):
    """What is kept of a removed backup: the file that its note names comes first."""
    kept, named = [], ""
    if os.path.isdir(folder):
        kept = [name for name in sorted(os.listdir(folder)) if name.startswith(pack + "-") and name.endswith(".zst.age")]
    try:
        with open(os.path.join(folder, pack + ".note"), "rb") as note:
            named = "%s-%s.zst.age" % (pack, json.loads(note.readline())["sha256"][:16])
    except (OSError, ValueError, KeyError):
        pass
    kept.sort(key=lambda name: name != named)
    return [os.path.join(folder, name) for name in [pack + ".zst"] + kept]


def find(backup, pack, key):
    folder, own = os.path.split(backup)
    paths = retired(os.path.join(folder, ".packs"), pack) if pack != own else []
    for name in "archive.tar.zst", "blocks.zst", "archive.tar.zst.age", "blocks.zst.age":
        paths.append(os.path.join(folder, pack, name))
    for path in paths:
        if os.path.exists(path) and path.endswith(".age") == (key is not None):
            return Pack(path, key)
    sys.exit("the blocks of backup %s are missing: none of %s is there" % (pack, ", ".join(paths)))


def main():
    if len(sys.argv) not in (2, 3) or sys.stdout.isatty():
        sys.exit(__doc__)
    backup, key = os.path.realpath(sys.argv[1]), None
    with open(os.path.join(backup, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    archive = os.path.join(backup, manifest["archive"]["file"])
    check(backup, manifest["archive"])
    if archive.endswith(".age"):
        key = sys.argv[2] if len(sys.argv) == 3 else None
        if manifest["schema"] == 1:
            sys.exit(subprocess.run(["zstd", "-dcq"], stdin=decrypt(archive, key)).returncode)
    elif manifest["schema"] == 1:
        sys.exit(subprocess.run(["zstd", "-dcq", archive]).returncode)
    check(backup, manifest["indexFile"])
    index = os.path.join(backup, manifest["indexFile"]["file"])
    with decrypt(index, key) if index.endswith(".age") else open(index, "rb") as file:
        runs = json.loads(unpack(file.read()).splitlines()[-1])["runs"]
    packs = {}
    for pack, first, count in runs:
        if pack not in packs:
            packs[pack] = find(backup, pack, key)
        for number in range(first, first + count):
            sys.stdout.buffer.write(packs[pack].block(number))
    sys.stdout.buffer.flush()


main()

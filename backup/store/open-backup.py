#!/usr/bin/env python3
"""Write the content of a sandkeeper backup as a tar stream to standard output, without sandkeeper.

    python3 open-backup.py BACKUPS/alpha/20261121T101500Z-1f3a | tar -xpf - -C /tmp/alpha --numeric-owner
    python3 open-backup.py BACKUPS/alpha/20261121T101500Z-1f3a KEY-FILE | tar -xpf - -C /tmp/alpha --numeric-owner

It needs python3 and the zstd command, and for an encrypted backup the age command and the file with the private key. The folder is that of
one backup; what it shares with others is read from the folders beside it and from .packs there. Python has no BLAKE3, so this proves less
than "sandkeeper backups verify --read-data": the SHA-256 of the backup's own files, and of the others the checksums that zstd keeps of
each frame. Encrypted packs are decrypted into the temporary folder (TMPDIR), into files that have no name and are gone at the end.

An entry that could lead tar out of the folder that it unpacks into is refused, as "sandkeeper restore" refuses it: the stream ends before it.
"""
import hashlib
import json
import os
import posixpath
import re
import struct
import subprocess
import sys
import tempfile
import time

FILES = "archive.tar.zst", "blocks.zst", "archive.tar.zst.age", "blocks.zst.age", "index.zst", "index.zst.age"


def plain(path):
    """The path of a file of the backups, which is no link, pipe or device."""
    if os.path.islink(path) or not os.path.isfile(path):
        sys.exit("%s is not a plain file: it is missing, or not what sandkeeper wrote" % path)
    return path


def unpack(packed):
    return subprocess.run(["zstd", "-dcq"], input=packed, stdout=subprocess.PIPE, check=True).stdout


def decrypt(path, key):
    """The content of an encrypted file, in a temporary one."""
    if key is None:
        sys.exit("%s is encrypted: give the file with the private key behind the folder of the backup" % path)
    opened = tempfile.TemporaryFile()
    if subprocess.run(["age", "-d", "-i", key, plain(path)], stdout=opened).returncode != 0:
        sys.exit("%s cannot be decrypted with %s" % (path, key))
    opened.seek(0)
    return opened


class Pack:
    """The blocks of one backup: zstd frames, and behind them a table that says which block is where."""

    def __init__(self, path, key):
        self.file = decrypt(path, key) if path.endswith(".age") else open(plain(path), "rb")
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
    if file["file"] not in FILES:
        sys.exit("manifest.json names the file %r, which no backup has: it is damaged, or forged" % file["file"])
    digest = hashlib.sha256()
    with open(plain(os.path.join(backup, file["file"])), "rb") as content:
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


class Stream:
    """The bytes of a tar, which come in pieces of any length."""

    def __init__(self, pieces):
        self.pieces, self.rest = iter(pieces), memoryview(b"")

    def some(self, most):
        """At least one byte and not more than most; none at the end."""
        while not self.rest:
            piece = next(self.pieces, None)
            if piece is None:
                return b""
            self.rest = memoryview(piece)
        got, self.rest = self.rest[:most], self.rest[most:]
        return got

    def all(self, length):
        """So many bytes, piece by piece."""
        while length:
            piece = self.some(length)
            if not piece:
                sys.exit("the archive ends in the middle of an entry: it is damaged")
            length -= len(piece)
            yield piece


def refuse(name, why):
    sys.stdout.buffer.flush()
    sys.exit("refused: entry %s: %s. Nothing of it or behind it was passed on, only what came before it.\n"
             "Sandkeeper writes no such entry: the backup is damaged, or somebody has forged it" % (ascii(os.fsdecode(name)), why))


def octal(header, at, length):
    digits = re.fullmatch(b" *([0-7]+)[ \0]*", header[at:at + length])
    if not digits:
        refuse(header[:100].rstrip(b"\0"), "its header has a number that is none")
    return int(digits.group(1), 8)


def read_header(tar):
    """The next header of 512 bytes, whose sum is right; zeros are the end."""
    header = b"".join(tar.all(512))
    if any(header) and sum(header) - sum(header[148:156]) + 8 * 32 != octal(header, 148, 8):
        refuse(header[:100].rstrip(b"\0"), "the sum of its header is wrong")
    return header


RECORDS = re.compile(b"path|linkpath|size|uid|gid|uname|gname|[acm]time|SCHILY[.]xattr[.].+|SANDKEEPER[.].+", re.DOTALL)


def read_records(text):
    """What a pax header says of the entry behind it, in lines of "LENGTH KEY=VALUE"."""
    said = {}
    while text:
        length = re.match(b"([0-9]{1,7}) ", text)
        line = text[:int(length.group(1))] if length else b""
        key, _, value = line[length.end():-1].partition(b"=") if length else (b"", b"", b"")
        if not line.endswith(b"\n") or not RECORDS.fullmatch(key) or not value and key in (b"path", b"linkpath", b"size"):
            refuse(line[:60], "its pax header is of another kind than those that sandkeeper writes")
        said[key], text = value, text[len(line):]
    return said


def clean(name):
    """The one spelling of a path: relative to the home, "." for the home itself."""
    while name.startswith(b"./"):
        name = name[2:].lstrip(b"/")
    return name[:1] + name[1:].rstrip(b"/") or b"."


def judge(name, kind, link, seen):
    """Refuse what "sandkeeper restore" refuses; seen are the kinds of the entries before it, by name."""
    if name.startswith(b"/"):
        refuse(name, "absolute path")
    if b"\0" in name or posixpath.normpath(name) != name or name.split(b"/")[0] == b"..":
        refuse(name, "path that is not plain")
    if kind not in b"0521":
        refuse(name, "not a file, folder or link (tar type %s)" % ascii(os.fsdecode(kind)))
    if name == b"." and kind != b"5":
        refuse(name, "the home itself is not a folder")
    if name in seen:
        refuse(name, "it is there twice")
    above = posixpath.dirname(name)
    while above:
        if seen.get(above, b"5") != b"5":
            refuse(name, "%s above it is not a folder" % ascii(os.fsdecode(above)))
        above = posixpath.dirname(above)
    if kind == b"1" and seen.get(link) != b"0":
        refuse(name, "a hard link to %s, which is not a file before it" % ascii(os.fsdecode(link)))


def pass_on(pieces):
    """Write a tar to standard output, each entry after its header was judged: of the kind that sandkeeper writes, which all tars read alike."""
    out, tar, seen = sys.stdout.buffer, Stream(pieces), {}
    while True:
        header, said = read_header(tar), {}
        whole = header
        if header[156:157] == b"x":
            length = octal(header, 124, 12)
            if length > 1 << 20:
                refuse(header[:100].rstrip(b"\0"), "its pax header has %d bytes" % length)
            text = b"".join(tar.all(-(-length // 512) * 512))
            said, header = read_records(text[:length]), read_header(tar)
            whole += text + header
        if not any(header):
            break
        above, name = header[345:500].split(b"\0")[0], header[:100].split(b"\0")[0]
        name, kind = clean(said.get(b"path", above + b"/" + name if above else name)), header[156:157]
        if header[257:263] != b"ustar\0":
            refuse(name, "its header is of another kind than those that sandkeeper writes")
        judge(name, kind, clean(said.get(b"linkpath", header[157:257].split(b"\0")[0])), seen)
        seen[name] = kind
        size = said.get(b"size", b"%d" % octal(header, 124, 12))
        if not size.isdigit() or kind != b"0" and int(size) != 0:
            refuse(name, "its size is %s" % ascii(os.fsdecode(size)))
        out.write(whole)
        for piece in tar.all(-(-int(size) // 512) * 512):
            out.write(piece)
    out.write(whole)
    for piece in iter(lambda: tar.some(1 << 16), b""):
        if piece != bytes(len(piece)):
            refuse(b"", "it follows the end of the archive")
        out.write(piece)
    out.flush()


def unzstd(**source):
    """The pieces of an archive that zstd unpacks."""
    program = subprocess.Popen(["zstd", "-dcq"], stdout=subprocess.PIPE, **source)
    yield from iter(lambda: program.stdout.read(1 << 20), b"")
    if program.wait() != 0:
        sys.exit("zstd could not unpack the archive to its end: it is damaged")


def blocks(backup, runs, key):
    """The pieces of an archive that lies in packs."""
    packs = {}
    for pack, first, count in runs:
        if not re.fullmatch("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}", pack):
            sys.exit("the index names the backup %r, which cannot be the id of one: it is damaged, or forged" % pack)
        if pack not in packs:
            packs[pack] = find(backup, pack, key)
        for number in range(first, first + count):
            yield packs[pack].block(number)


def main():
    if len(sys.argv) not in (2, 3) or sys.stdout.isatty():
        sys.exit(__doc__)
    backup, key = os.path.realpath(sys.argv[1]), None
    with open(plain(os.path.join(backup, "manifest.json")), encoding="utf-8") as file:
        manifest = json.load(file)
    if time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 24 * 3600)) < str(manifest["id"]):
        print("its id %s names a moment that is still to come: this host's clock is wrong, or it is not the newest backup that it seems to be"
              % manifest["id"], file=sys.stderr)
    check(backup, manifest["archive"])
    archive = os.path.join(backup, manifest["archive"]["file"])
    if archive.endswith(".age"):
        key = sys.argv[2] if len(sys.argv) == 3 else None
    if manifest["schema"] == 1:
        return pass_on(unzstd(stdin=decrypt(archive, key) if archive.endswith(".age") else open(archive, "rb")))
    check(backup, manifest["indexFile"])
    index = os.path.join(backup, manifest["indexFile"]["file"])
    with decrypt(index, key) if index.endswith(".age") else open(index, "rb") as file:
        runs = json.loads(unpack(file.read()).splitlines()[-1])["runs"]
    pass_on(blocks(backup, runs, key))


main()

"""Files of every layout and compression give all of their messages, each with where it stood."""

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics.errors import InputError
from stackanalytics.sources import files
from stackanalytics.sources.chunk import Chunk

MESSAGES = [{"n": number, "text": 'a "quoted" ] } text, é'} for number in range(100)]
LINES = [json.dumps(message).encode() for message in MESSAGES]
FILE = b"\n".join(LINES) + b"\n"


def _chunks(content: bytes, name: str = "file") -> list[Chunk]:
    return list(files.read_stream(io.BytesIO(content), name))


def _messages(content: bytes) -> list[bytes]:
    return [message for chunk in _chunks(content) if not chunk.problem for message in chunk.messages if message.strip()]


def _values(content: bytes) -> list[object]:
    return [json.loads(message) for message in _messages(content)]


def _problems(content: bytes) -> list[tuple[str, int, bytes, str]]:
    return [
        (chunk.origin, chunk.first, message, chunk.problem)
        for chunk in _chunks(content)
        if chunk.problem
        for message in chunk.messages
    ]


def _zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Read in blocks of 100 bytes and refuse messages of more than 1000."""
    monkeypatch.setattr(files, "BLOCK_BYTES", 100)
    monkeypatch.setattr(files, "ZSTD_BYTES", 10)
    monkeypatch.setattr(files, "MESSAGE_BYTES", 1000)
    return 1000


# layouts


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(FILE, id="lines"),
        pytest.param(FILE[:-1], id="no newline at the end"),
        pytest.param(FILE.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\n\n" + FILE.replace(b"\n", b"\n \n"), id="blank lines"),
        pytest.param(b"\xef\xbb\xbf" + FILE, id="byte order mark"),
        pytest.param(json.dumps(MESSAGES).encode(), id="array in a line"),
        pytest.param(json.dumps(MESSAGES, indent=2).encode(), id="array over lines"),
        pytest.param(json.dumps(MESSAGES, indent=0).encode() + b"\n", id="array without indentation"),
        pytest.param(b"\xef\xbb\xbf \n" + json.dumps(MESSAGES).encode(), id="array after a byte order mark"),
        pytest.param(b"[\n" + b",\n".join(LINES) + b"\n]\n", id="array of lines"),
        pytest.param(
            json.dumps(MESSAGES[:50]).encode() + b"\n" + json.dumps(MESSAGES[50:], indent=1).encode(), id="two arrays"
        ),
        pytest.param(json.dumps(MESSAGES[:50]).encode() + b"\n" + b"\n".join(LINES[50:]), id="an array, then lines"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, _zstd])
def test_layouts(content: bytes, pack: type[bytes], small_blocks: int) -> None:
    """Lines and arrays, however they are laid out, plain or compressed, give their messages in order."""
    assert _values(pack(content)) == MESSAGES
    assert not _problems(pack(content))


def test_line_ends_are_no_part_of_a_message() -> None:
    """Neither newline nor carriage return stays with a line."""
    assert _chunks(b"one\r\ntwo\r\n\r\nthree\r") == [
        Chunk("file", 1, [b"one", b"two", b""]),
        Chunk("file", 4, [b"three\r"]),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\n\n \n", b"[]", b" [ ]\n", gzip.compress(b"", mtime=0), _zstd(b""), b"\xef\xbb\xbf"]
)
def test_nothing(content: bytes) -> None:
    """An input without a message gives none, and no problem."""
    assert _messages(content) == []
    assert _problems(content) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('ab"\\[]{},:\n é'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(VALUES.filter(lambda value: isinstance(value, (dict, list))), min_size=1, max_size=8),
    st.integers(1, 50),
    st.sampled_from([None, 0, 3]),
)
def test_arrays_of_anything(values: list[object], block: int, indent: int | None) -> None:
    """Whatever the elements and wherever the blocks are cut, the array's elements come out as they went in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "BLOCK_BYTES", block)
        text = json.dumps(values, indent=indent)
        # only what begins with an object or an array is known to be an array of messages
        assert _values(text.encode()) == values


def test_scalars_and_rubbish_in_an_array() -> None:
    """What is no message in an array comes out, too, to become a dead letter: nothing is skipped."""
    content = b'[{"a": 1}, 42, "a, b", null, {"b": 2} rubbish, {"c": 3}, {broken}, ]'
    assert _messages(content) == [
        b'{"a": 1}', b"42", b'"a, b"', b"null", b'{"b": 2}', b"rubbish", b'{"c": 3}', b"{broken}"
    ]  # fmt: skip


# where it stood


def test_line_numbers(small_blocks: int) -> None:
    """Each line has its number in the file, blank lines counted, in whatever blocks it was read."""
    content = b"\n".join([b"first", b"", b"x" * 250, b"y", b"", b"last"])
    found = {
        message[:5]: chunk.first + place
        for chunk in _chunks(content)
        for place, message in enumerate(chunk.messages)
        if message
    }
    assert found == {b"first": 1, b"xxxxx": 3, b"y": 4, b"last": 6}


def test_numbers_of_elements_and_of_lines_after_them() -> None:
    """Elements of arrays are counted as such; a line after an array has the number of its line."""
    content = b'[{"a": 1},\n{"b": 2}]\n[{"c": 3}]\n{"d": 4}\n'
    found = {
        message: f"{chunk.origin}:{chunk.first + place}"
        for chunk in _chunks(content, "f.json")
        for place, message in enumerate(chunk.messages)
        if message
    }
    assert found == {
        b'{"a": 1}': "f.json, element:1",
        b'{"b": 2}': "f.json, element:2",
        b'{"c": 3}': "f.json, element:3",
        b'{"d": 4}': "f.json:4",
    }


# what is broken


def test_torn_last_line() -> None:
    """A last line without an end is given as it is: whether it is whole, landing finds out."""
    assert _messages(FILE[:-10])[-1] == LINES[-1][:-9]


@pytest.mark.parametrize("cut", [1, 8, 9, 100, 200])
def test_truncated_gzip(cut: int) -> None:
    """A gzip that ends early gives every whole line that was in it, then what was begun, as a problem."""
    packed = gzip.compress(FILE)[:-cut]
    unpacked = _unpacked(packed)
    *whole, begun = unpacked.split(b"\n")
    assert _messages(packed) == whole
    [(origin, line, rest, problem)] = _problems(packed)
    assert (origin, line, rest) == ("file", len(whole) + 1, begun)
    assert "ends early" in problem


def _unpacked(packed: bytes) -> bytes:
    """Return all that can be had of a truncated gzip, by the simplest way there is."""
    import zlib

    return zlib.decompressobj(wbits=31).decompress(packed)


def test_truncated_zstd(small_blocks: int) -> None:
    """A zstd that ends early gives whole lines from the beginning, then a problem with the line it broke at."""
    # compressed in frames, so that there is something whole before the end
    packed = b"".join(_zstd(line + b"\n") for line in LINES)[:-10]
    assert _messages(packed) == LINES[: len(_messages(packed))]
    assert len(_messages(packed)) >= 98
    [(_, line, _, problem)] = _problems(packed)
    assert line == len(_messages(packed)) + 1
    assert "ends early or is damaged" in problem


def test_several_members_and_frames() -> None:
    """Compressed files that were put one after the other are one file."""
    for pack in (gzip.compress, _zstd):
        assert _values(pack(FILE[:1000]) + pack(FILE[1000:]) + pack(b"")) == MESSAGES


@pytest.mark.parametrize("pack", [gzip.compress, _zstd])
def test_rubbish_after_compressed(pack: type[bytes], small_blocks: int) -> None:
    """What follows a compressed file and is none costs nothing that came before it but says so."""
    packed = pack(FILE) + b"rubbish"
    assert _values(packed) == MESSAGES
    [(_, line, rest, problem)] = _problems(packed)
    assert (line, rest) == (101, b"")
    assert "damaged" in problem


def test_zeros_after_gzip() -> None:
    """Zeros behind a gzip, as tapes and block devices leave them, are no problem."""
    assert _values(gzip.compress(FILE) + b"\0" * 512) == MESSAGES
    assert _problems(gzip.compress(FILE) + b"\0" * 512) == []


def test_wrong_checksum() -> None:
    """Damage that only the checksum shows is told; what was read is given."""
    packed = gzip.compress(FILE)[:-8] + b"\0" * 8
    assert _values(packed) == MESSAGES
    [(_, _, _, problem)] = _problems(packed)
    assert "CRC" in problem


@pytest.mark.parametrize("head", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\x00"])
def test_only_the_beginning_of_a_compressed_file(head: bytes) -> None:
    """A compressed file of some bytes is a problem of its first line, not an empty file."""
    [(_, line, rest, problem)] = _problems(head)
    assert (line, rest) == (1, b"")
    assert "ends early" in problem


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_torn_array_and_what_follows(indent: int | None) -> None:
    """An array that does not end gives its whole elements; reading goes on where a line begins a message."""
    torn = json.dumps(MESSAGES[:10], indent=indent).encode()[:-30]
    content = torn + b"\n" + b"\n".join(LINES[10:])
    assert _values(content) == MESSAGES[:9] + MESSAGES[10:]
    [(origin, element, rest, problem)] = _problems(content)
    assert (origin, element) == ("file, element", 10)
    assert rest.startswith(b"{")
    assert rest in torn
    assert "does not end" in problem


def test_array_that_is_still_written() -> None:
    """An array without its end is told even where no element is torn: something may be missing."""
    assert _values(b'[{"a": 1},\n') == [{"a": 1}]
    [(_, element, rest, _)] = _problems(b'[{"a": 1},\n')
    assert (element, rest) == (2, b"")


def test_damage_in_an_array_is_told_once() -> None:
    """A compressed array that ends early gives its whole elements and one problem."""
    packed = gzip.compress(json.dumps(MESSAGES, indent=1).encode())[:-40]
    values = _values(packed)
    assert values == MESSAGES[: len(values)]
    assert len(values) > 50
    [(_, element, _, problem)] = _problems(packed)
    assert element == len(values) + 1
    assert "ends early" in problem


# bounds


@pytest.mark.parametrize("indent", [None, 1])
def test_chunks_are_bounded(indent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of 10 MB is handed on in pieces of about one block; nothing holds all of it."""
    monkeypatch.setattr(files, "BLOCK_BYTES", 1 << 20)
    values = [{"n": number, "text": "x" * 1000} for number in range(10_000)]
    content = json.dumps(values, indent=indent).encode()
    assert len(content) > 10_000_000
    sizes = [sum(map(len, chunk.messages)) for chunk in _chunks(content)]
    assert max(sizes) < (1 << 20) + 2000
    assert len(sizes) >= 9
    assert len(_messages(content)) == 10_000


def test_chunks_of_lines_are_bounded(small_blocks: int) -> None:
    """A file of lines is handed on in pieces of about one block, however well it was compressed."""
    content = b'{"a": 1}\n' * 10_000
    for packed in (content, gzip.compress(content), _zstd(content)):
        assert max(sum(map(len, chunk.messages)) for chunk in _chunks(packed)) <= 2 * 100
        assert len(_messages(packed)) == 10_000


def test_lines_that_are_too_long(small_blocks: int) -> None:
    """A line beyond all measure is kept in part, says so, and costs no other line."""
    content = b'{"a": 1}\n"' + b"x" * 5000 + b'"\n{"b": 2}\n"' + b"y" * 5000
    assert _values(content) == [{"a": 1}, {"b": 2}]
    first, second = _problems(content)
    assert first == ("file", 2, b'"' + b"x" * 999, "longer than 1000 bytes; 4002 more are left out")
    assert second == ("file", 4, b'"' + b"y" * 999, "longer than 1000 bytes; 4001 more are left out")


def test_line_as_long_as_can_be(small_blocks: int) -> None:
    """A line of exactly the greatest length is a line."""
    assert [len(message) for message in _messages(b"x" * 1000 + b"\n" + b"y" * 1000)] == [1000, 1000]


def test_elements_that_are_too_long(small_blocks: int) -> None:
    """The same in an array, where reading goes on with the next line that begins a message."""
    content = b'[{"a": 1},\n{"x": "' + b"x" * 5000 + b'"},\n{"b": 2}\n]'
    assert _messages(content) == [b'{"a": 1}', b'{"b": 2}', b"]"]
    [(origin, element, rest, problem)] = _problems(content)
    assert (origin, element) == ("file, element", 2)
    assert rest.startswith(b'{"x": "xxx')
    assert len(rest) < 1300
    assert "longer than 1000 bytes" in problem


# paths


def _folder(tmp_path: Path) -> Path:
    for name, content in {
        "b.jsonl": b'{"n": 2}',
        "a.jsonl.gz": gzip.compress(b'{"n": 1}'),
        "sub/deep/c.json": b'[{"n": 3}]',
        "sub/empty.json": b"",
        ".hidden.json": b'{"n": -1}',
        ".git/config.json": b'{"n": -2}',
        "sub/.hidden/x.json": b'{"n": -3}',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def _read(paths: list[Path | str]) -> Iterator[tuple[str, object]]:
    for chunk in files.read(paths):
        for message in chunk.messages:
            yield chunk.origin, json.loads(message)["n"]


def test_folders(tmp_path: Path) -> None:
    """Folders are read to their depths in order of names, but for what is hidden."""
    folder = _folder(tmp_path)
    assert list(_read([folder])) == [
        (str(folder / "a.jsonl.gz"), 1),
        (str(folder / "b.jsonl"), 2),
        (f"{folder / 'sub/deep/c.json'}, element", 3),
    ]


def test_hidden_by_name_is_read_when_named(tmp_path: Path) -> None:
    """Whoever names a hidden file or folder means it."""
    folder = _folder(tmp_path)
    named: list[Path | str] = [folder / ".hidden.json", str(folder / ".git")]
    assert [number for _, number in _read(named)] == [-1, -2]


def test_paths_that_do_not_exist(tmp_path: Path) -> None:
    """A missing path and a folder without files are refused before anything is read."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"{}")
    with pytest.raises(InputError, match=r"no such file or folder: .*missing"):
        files.find_files([tmp_path / "file", tmp_path / "missing"])
    with pytest.raises(InputError, match=r"no files in the folder .*empty"):
        files.find_files([tmp_path / "empty"])
    with pytest.raises(InputError, match="missing"):
        next(files.read([tmp_path / "file", tmp_path / "missing"]))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, _zstd])
def test_standard_input(pack: type[bytes], tmp_path: Path) -> None:
    """`-` reads what is piped in, compressed or not, named so, among other files."""
    (tmp_path / "file").write_bytes(b'{"n": 100}')
    script = (
        "import sys\n"
        "from stackanalytics.sources import files\n"
        "for chunk in files.read(sys.argv[1:]):\n"
        "    print(chunk.origin, len([message for message in chunk.messages if message]))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "file"), "-"]
    done = subprocess.run(command, input=pack(FILE), capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == [f"{tmp_path / 'file'} 1", "standard input 100"]

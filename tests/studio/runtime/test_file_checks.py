import io
import pickle  # noqa: TID251 - makes what must be refused
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from studio.core.errors import PackageError
from studio.runtime.file_checks import check_safetensors, check_side_file, refuse_pickle
from tests.package_kit import FIXTURES

TENSORS = save({"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(3, np.int64)}, {"format": "pt"})


class Evil:
    def __reduce__(self):
        return eval, ("1",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "payload", [Evil(), {"a": 1, "b": [2.0]}, [1, 2, 3], np.zeros(3)], ids=["evil", "d", "l", "np"]
)
def test_pickles_of_every_protocol(payload, protocol):
    with pytest.raises(PackageError, match="pickle"):
        refuse_pickle(pickle.dumps(payload, protocol), "w.safetensors")


def test_a_hand_written_pickle():
    with pytest.raises(PackageError, match="pickle"):
        check_side_file(b"cos\nsystem\n(S'echo hi'\ntR.", "notes.txt")


def test_an_old_torch_file():
    # The legacy format starts with a pickled magic number.
    data = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    with pytest.raises(PackageError, match="pickle"):
        check_side_file(data, "preview.png")


@pytest.mark.parametrize("name", ["weights.bin", "weights.safetensors", "w.txt"])
def test_torch_and_numpy_archives(name):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    with pytest.raises(PackageError, match="archive"):
        check_side_file(stream.getvalue(), name)


@pytest.mark.parametrize(
    "text", ["No.", "No rights reserved.", "Made by hand. (c) 2026", "I. 1.", "{}", "]", "", ".", "be kind.\nN.", "(a)"]
)
def test_prose_is_no_pickle(text):
    check_side_file(text.encode(), "notes.txt")


def test_kinds_that_belong_into_a_package():
    check_side_file((FIXTURES / "tiny-map" / "preview.png").read_bytes(), "preview.png")
    check_side_file(TENSORS, "original.safetensors")
    check_side_file(b'{"a": 1}', "a.json")


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"MZ\x90\0", b"\x1f\x8b\x08\0", bytes(100), b"\x89HDF\r\n\x1a\n\0"])
def test_kinds_that_do_not(data):
    with pytest.raises(PackageError, match="does not belong"):
        check_side_file(data, "weights.bin")


def test_json_that_is_none():
    with pytest.raises(PackageError, match="not valid JSON"):
        check_side_file(b"{", "a.json")


def header(text, body=b""):
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    "data",
    [
        TENSORS[:-1],
        TENSORS + b"\0",
        header(b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', bytes(12)),
        header(b'{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', bytes(8)),
        header(b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}}', bytes(8)),
        header(b'{"w":{"dtype":"O","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
        header(b'{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', bytes(8)),
        header(b'{"w":[1]}', bytes(8)),
        header(b'{"w":{"dtype":[],"shape":[2],"data_offsets":[0,8]}}', bytes(8)),
        (10**12).to_bytes(8, "little") + b"{}",
        header(b"{" * 100_000),
    ],
)
def test_damaged_safetensors(data):
    with pytest.raises(PackageError, match="damaged safetensors"):
        check_safetensors(data, "w.safetensors", len(data))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(TENSORS) - 1), st.integers(0, 255)), max_size=8), st.integers(0, 40))
def test_mutations_only_ever_raise_our_error(changes, cut):
    data = bytearray(TENSORS)
    for at, byte in changes:
        data[at] = byte
    try:
        check_side_file(bytes(data[: len(data) - cut]), "w.safetensors")
    except PackageError:
        pass


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["a.json", "a.txt", "a.bin", "a.safetensors"]))
def test_any_bytes_only_ever_raise_our_error(data, name):
    try:
        check_side_file(data, name)
    except PackageError:
        pass

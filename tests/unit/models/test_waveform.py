"""Vibration files: what is written comes back in m/s^2; what is missing, absurd or not a number is refused by name."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from models.errors import FileRefused
from models.waveform import MIN_SAMPLES, PCM_FULL_SCALE_MS2, decode_csv, decode_npz, decode_wav

SAMPLES = np.random.default_rng(5).uniform(-100, 100, (400, 3)).astype(np.float32)
RATE_HZ = 20_000


def npz(**arrays: object) -> bytes:
    data = io.BytesIO()
    np.savez(data, **arrays)  # type: ignore[arg-type]  # the point of some tests
    return data.getvalue()


def csv_text(samples: np.ndarray = SAMPLES, times_s: np.ndarray | None = None) -> str:
    times_s = np.arange(len(samples)) / RATE_HZ if times_s is None else times_s
    rows = [",".join(repr(float(v)) for v in (t, *row)) for t, row in zip(times_s, samples, strict=True)]
    return "\n".join(["time_s,x_ms2,y_ms2,z_ms2", *rows]) + "\n"


def wav(body: bytes, bits: int, encoding: int = 1, channels: int = 3, extensible: bool = False) -> bytes:
    width = channels * bits // 8
    fields = struct.pack("<HHIIHH", 0xFFFE if extensible else encoding, channels, RATE_HZ, RATE_HZ * width, width, bits)
    if extensible:
        fields += struct.pack("<HHIH", 22, bits, 0, encoding) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    chunks = b"fmt " + struct.pack("<I", len(fields)) + fields + b"LIST\x03\0\0\0abc\0"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def pcm(bits: int) -> bytes:
    counts = np.round(SAMPLES.astype(np.float64) / PCM_FULL_SCALE_MS2 * 2.0 ** (bits - 1)).astype("<i4")
    return counts.reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()


def test_npz_comes_back_exactly() -> None:
    samples, rate_hz = decode_npz(npz(samples=SAMPLES, rate_hz=26_667.0))

    np.testing.assert_array_equal(samples, SAMPLES)
    assert (samples.dtype, rate_hz) == (np.float32, 26_667.0)


def test_npz_may_hold_its_samples_axis_after_axis() -> None:
    np.testing.assert_array_equal(decode_npz(npz(samples=np.asfortranarray(SAMPLES), rate_hz=1e4))[0], SAMPLES)


def test_a_rate_from_elsewhere_fills_a_gap_and_never_contradicts() -> None:
    assert decode_npz(npz(samples=SAMPLES), 1e4)[1] == decode_npz(npz(samples=SAMPLES, rate_hz=1e4), 1e4)[1] == 1e4
    with pytest.raises(FileRefused, match="rate_hz is 10000 in the file and 20000 elsewhere"):
        decode_npz(npz(samples=SAMPLES, rate_hz=1e4), 2e4)


def test_csv_comes_back_exactly_and_its_rate_is_that_of_the_time_column() -> None:
    samples, rate_hz = decode_csv(csv_text().encode())

    np.testing.assert_array_equal(samples, SAMPLES)
    assert rate_hz == pytest.approx(RATE_HZ, rel=1e-9)


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("bits", [16, 24, 32])
def test_integer_wav_comes_back_within_one_count(bits: int, extensible: bool) -> None:
    samples, rate_hz = decode_wav(wav(pcm(bits), bits, extensible=extensible))

    one_count = PCM_FULL_SCALE_MS2 / 2.0 ** (bits - 1)
    np.testing.assert_allclose(samples, SAMPLES, rtol=1e-6, atol=one_count)
    assert rate_hz == RATE_HZ


def test_the_largest_count_is_sixteen_g_whatever_the_bits() -> None:
    full = np.full((MIN_SAMPLES, 3), 2**15 - 1, "<i2")

    samples, _ = decode_wav(wav(full.tobytes(), 16))

    assert samples.max() == pytest.approx(16 * 9.80665, rel=1e-4)


def test_float_wav_is_metres_per_second_squared() -> None:
    samples, _ = decode_wav(wav(SAMPLES.tobytes(), 32, encoding=3))

    np.testing.assert_array_equal(samples, SAMPLES)


def spoilt(value: float) -> np.ndarray:
    samples = SAMPLES.copy()
    samples[17, 2] = value
    return samples


@pytest.mark.parametrize("write", [lambda s: npz(samples=s, rate_hz=1e4), lambda s: csv_text(s).encode()])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e7])
def test_one_value_that_is_no_acceleration_spoils_the_file(write: Callable[..., bytes], value: float) -> None:
    decode = decode_csv if write(SAMPLES).startswith(b"time_s") else decode_npz

    with pytest.raises(FileRefused, match=r"1 of 400 samples are NaN, infinite or beyond .* first sample 17"):
        decode(write(spoilt(value)))


def test_a_signalling_nan_is_refused_without_a_warning() -> None:
    bits = SAMPLES.view(np.uint32).copy()
    bits[17, 2] = 0x7F800001

    with pytest.raises(FileRefused, match="first sample 17"):
        decode_wav(wav(bits.tobytes(), 32, encoding=3))


def test_filling_with_zeros_would_be_caught() -> None:
    """The comfortable wrong way gives a usable file; the test above wants it refused."""
    samples, _ = decode_npz(npz(samples=np.nan_to_num(spoilt(np.nan)), rate_hz=1e4))

    assert samples[17, 2] == 0.0


def test_the_smallest_integer_does_not_slip_through_the_limit() -> None:
    """Its absolute value overflows in its own type: abs(-2^63) < 0."""
    samples = np.zeros((400, 3), np.int64)
    samples[0, 0] = np.iinfo(np.int64).min

    with pytest.raises(FileRefused, match="beyond"):
        decode_npz(npz(samples=samples, rate_hz=1e4))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"samples": SAMPLES}, "no array 'rate_hz'"),
        ({"rate_hz": 1e4}, "no array 'samples'"),
        ({"samples": SAMPLES[:10], "rate_hz": 1e4}, "too short: 10 samples"),
        ({"samples": SAMPLES[:, :1], "rate_hz": 1e4}, "1 axes"),
        ({"samples": SAMPLES[:, 0], "rate_hz": 1e4}, r"must be \(n, 3\)"),
        ({"samples": SAMPLES.T, "rate_hz": 1e4}, "400 axes"),
        ({"samples": SAMPLES.astype(complex), "rate_hz": 1e4}, "complex"),
        ({"samples": SAMPLES.astype(str), "rate_hz": 1e4}, "<U"),
        ({"samples": np.zeros((1_000_001, 3), np.float16), "rate_hz": 1e4}, "too long"),
        ({"samples": SAMPLES, "rate_hz": 0.0}, "sample rate of 0 Hz"),
        ({"samples": SAMPLES, "rate_hz": -1e4}, "sample rate"),
        ({"samples": SAMPLES, "rate_hz": np.nan}, "sample rate of nan Hz"),
        ({"samples": SAMPLES, "rate_hz": 1e9}, "sample rate"),
        ({"samples": SAMPLES, "rate_hz": [1e4, 1e4]}, "one number"),
        ({"samples": SAMPLES, "rate_hz": "fast"}, "one number"),
        ({"samples": np.array([None] * 400), "rate_hz": 1e4}, "Python objects"),
    ],
)
def test_an_npz_that_is_not_a_waveform_is_refused_by_name(arrays: dict[str, object], message: str) -> None:
    with pytest.raises(FileRefused, match=message) as caught:
        decode_npz(npz(**arrays))

    assert caught.value.hint


def test_an_array_that_declares_more_than_it_holds_is_refused_before_it_is_allocated() -> None:
    lying = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)}
    np.lib.format.write_array_header_1_0(lying, header)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("samples.npy", lying.getvalue())

    with pytest.raises(FileRefused, match=r"declares \(1000000000000, 3\), more than the file holds"):
        decode_npz(data.getvalue())


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is_unpacked() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.npy", bytes(30_000_000))

    assert len(data.getvalue()) < 100_000
    with pytest.raises(FileRefused, match="too long"):
        decode_npz(data.getvalue())


@pytest.mark.parametrize("cut", [0, 10, 100, 1000, -30, -1])
def test_a_truncated_npz_is_refused(cut: int) -> None:
    with pytest.raises(FileRefused, match="damaged or not an npz"):
        decode_npz(npz(samples=SAMPLES, rate_hz=1e4)[:cut])


def test_a_flipped_byte_in_the_samples_of_an_npz_is_refused() -> None:
    data = npz(samples=SAMPLES, rate_hz=1e4)

    with pytest.raises(FileRefused, match="damaged or not an npz"):
        decode_npz(data[:700] + bytes([data[700] ^ 255]) + data[701:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be"),
        ("z_ms2\n1\n", "first line must be 'time_s,x_ms2,y_ms2,z_ms2', got 'z_ms2'"),
        ("time_s,x_ms2,y_ms2,z_ms2\n", "too short: 0"),
        (csv_text().replace("\n", ",\n"), "first line"),
        (csv_text() + "1,2,3\n", "line 402 is not four numbers: '1,2,3'"),
        (csv_text() + "1,2,3,x\n", "line 402 is not four numbers"),
        (csv_text(times_s=np.zeros(400)), "does not advance"),
        (csv_text(times_s=np.arange(400.0)[::-1]), "does not advance"),
        (csv_text(times_s=np.where(np.arange(400) == 399, np.nan, np.arange(400.0))), "does not advance"),
        (csv_text(times_s=np.delete(np.arange(403.0), [77, 78, 79])), "unevenly after sample 76"),
        (csv_text(times_s=np.round(np.arange(400) / RATE_HZ, 4)), "unevenly"),
        ("\udce4", "not a text file"),
    ],
)
def test_a_csv_that_is_not_a_waveform_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(FileRefused, match=message) as caught:
        decode_csv(text.encode(errors="surrogateescape"))

    assert caught.value.hint


def test_a_missing_sample_is_not_hidden_by_the_mean() -> None:
    """A rate taken from the first step alone, or from the ends alone, would accept a file with a hole."""
    times_s = np.delete(np.arange(403.0), [77, 78, 79])

    assert times_s[1] - times_s[0] == 1.0
    assert (times_s[-1] - times_s[0]) / 399 == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a wav file"),
        (b"RIFF\0\0\0\0AVI ", "not a wav file"),
        (b"RIFF\0\0\0\0WAVE", "truncated"),
        (wav(pcm(16), 16)[:-1], "truncated wav file: 2399 of 2400 bytes"),
        (wav(pcm(16)[:-2], 16), "last sample is not whole"),
        (wav(pcm(16), 16, channels=1), "1 axes"),
        (wav(pcm(16), 16, channels=2), "2 axes"),
        (wav(bytes(1200), 8), "encoding 1 with 8 bits"),
        (wav(bytes(2400), 16, encoding=85), "encoding 85"),
        (wav(bytes(600), 16), "too short: 100"),
    ],
)
def test_a_wav_that_is_not_a_waveform_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(FileRefused, match=message) as caught:
        decode_wav(data)

    assert caught.value.hint

"""Our quantisers against the dequantisers of the `gguf` package: `python -m unittest test_quantize`."""

import unittest

import gguf
import numpy as np

import quantize

# Relative RMS error allowed on normally distributed weights, a little above what an optimal quantiser of that many bits leaves.
LIMITS = {"Q8_0": 0.006, "Q6_K": 0.020, "Q4_K": 0.075}


class Quantisers(unittest.TestCase):
    def test_round_trip_error_is_that_of_the_bits(self):
        weights = np.random.default_rng(3).normal(size=(33, 512)).astype(np.float32)
        for name, limit in LIMITS.items():
            packed = getattr(quantize, name.lower())(weights)
            back = gguf.dequantize(packed, gguf.GGMLQuantizationType[name]).reshape(weights.shape)
            error = np.sqrt(((back - weights) ** 2).mean() / (weights**2).mean())
            self.assertLess(error, limit, name)
            self.assertGreater(error, limit / 4, f"{name}: too good to be true")

    def test_zeros_ones_and_one_spike_survive(self):
        rows = np.zeros((3, 256), np.float32)
        rows[1] = 1.0
        rows[2, 77] = -5.0
        for name in LIMITS:
            packed = getattr(quantize, name.lower())(rows)
            back = gguf.dequantize(packed, gguf.GGMLQuantizationType[name]).reshape(rows.shape)
            self.assertTrue((back[0] == 0).all(), name)
            np.testing.assert_allclose(back[1:], rows[1:], atol=0.03, err_msg=name)


if __name__ == "__main__":
    unittest.main()

"""Drawn pictures that have what photographs have: a ground, objects with edges, and texture of all sizes."""

import numpy as np


def photograph(seed: int, side: int = 64) -> np.ndarray:
    """A picture in colour: brightness of amplitude 1/frequency, some ellipses, and noise within them."""
    random = np.random.default_rng(seed)
    down, across = (np.mgrid[:side, :side] + 0.5) / side
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(random.normal(size=(side, side))) / np.maximum(frequencies, 1 / side)
    texture = np.real(np.fft.ifft2(spectrum))
    picture = np.repeat((texture / texture.std())[..., None], 3, axis=2) * random.uniform(15, 30, 3)
    picture += random.uniform(90, 160, 3)
    for _ in range(6):
        y, x, high, wide = *random.uniform(0.15, 0.85, 2), *random.uniform(0.08, 0.3, 2)
        within = ((down - y) / high) ** 2 + ((across - x) / wide) ** 2 < 1
        picture[within] += random.uniform(-70, 70, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)

"""The parts of ``benchmarks/gpu.py``: a module each, with what they share."""

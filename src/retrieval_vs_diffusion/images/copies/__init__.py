"""Whether a picture is a copy of one that must not be copied: candidates from an index, then registration.

A copy may be encoded again, of another size, cropped by a tenth, mirrored or recoloured (docs/leaks.md).
"""

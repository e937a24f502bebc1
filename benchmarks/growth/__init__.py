"""How seconds, memory and disk grow with the pool, the classes and the added images: ``make growth``."""

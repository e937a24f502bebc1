"""Does retrieving images from a captioned pool help a classifier more than generating them?

Implements the comparison of Burg et al., *Image retrieval outperforms diffusion models on data
augmentation* (TMLR 2023, arXiv 2304.10253), for any small labelled set, captioned pool and
diffusion model.
"""

__version__ = "0.1.0"

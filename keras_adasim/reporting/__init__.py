"""One page about a run, or several: plain data to HTML that fetches nothing."""

from keras_adasim.reporting.gallery import gallery_page
from keras_adasim.reporting.page import comparison_page, run_page
from keras_adasim.reporting.run import Attention, FeatureMap, Gallery, Run

__all__ = [
    "Attention",
    "FeatureMap",
    "Gallery",
    "Run",
    "comparison_page",
    "gallery_page",
    "run_page",
]

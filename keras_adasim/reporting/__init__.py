"""One page about a run, or several: plain data to HTML that fetches nothing."""

from keras_adasim.reporting.earlier_page import sections_to_keep
from keras_adasim.reporting.gallery import gallery_page
from keras_adasim.reporting.page import NAMES, comparison_page, run_page, run_sections
from keras_adasim.reporting.run import Attention, FeatureMap, Findings, Gallery, Run

__all__ = [
    "NAMES",
    "Attention",
    "FeatureMap",
    "Findings",
    "Gallery",
    "Run",
    "comparison_page",
    "gallery_page",
    "run_page",
    "run_sections",
    "sections_to_keep",
]

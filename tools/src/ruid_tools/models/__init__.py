"""Models: made from published weights, checked against their cards.

Making needs libraries that running does not (onnx): it happens in a workshop, a throw-away environment with pinned
versions. The modules `qdq`, `nanodet`, `calibration` and `detector_build` run in there and import nothing else of
RuID; `command` is what `ruid models` calls.
"""

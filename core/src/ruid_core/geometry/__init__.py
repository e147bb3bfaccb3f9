"""Boxes, polygons and lines on the picture plane; y points down.

A box is a row `x1, y1, x2, y2` with x2 ≥ x1 and y2 ≥ y1, a point a row `x, y`. The name of an array says its frame:
`boxes_xyxy_px` is in pixels of the named picture, `boxes_xyxy_rel` in fractions of its width and height.
"""

"""Figures by matplotlib: on a notebook's Axes, or as SVG inside a page."""

"""Measures contenders side by side."""

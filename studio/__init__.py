"""Crucible: a local studio that trains and compares Stable Diffusion fine-tunes."""

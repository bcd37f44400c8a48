"""The root folder of the checkout, or of what an image holds of it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

"""Where the checkout, or what an image holds of it, begins."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

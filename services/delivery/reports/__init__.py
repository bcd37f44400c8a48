"""What people read about a delivery: HTML reports, pages in MLflow, notifications."""

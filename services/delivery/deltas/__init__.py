"""What differs between candidate and live, told beside the verdict: it decides nothing."""

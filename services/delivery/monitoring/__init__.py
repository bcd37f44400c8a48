"""What production traffic is like beside the hold-out: read from the prediction log, judged column by column."""

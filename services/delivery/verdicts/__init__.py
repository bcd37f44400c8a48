"""What validate and compare conclude: a candidate is asked, and the gates judge what it answered."""

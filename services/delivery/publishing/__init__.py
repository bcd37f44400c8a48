"""A machine image becomes an EBS snapshot and an AMI, through APIs that need no instance to write from."""

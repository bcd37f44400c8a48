"""The processes that answer for one release on one socket: started, watched and replaced by a parent of their own."""

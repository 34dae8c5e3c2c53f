"""The only room that trains: the loop, what it needs, and the thread that it runs in."""

"""A model hub: what it has, what of it is needed and here, and bringing it in a process of its own."""

"""The only room that knows how a folder of pictures becomes training examples."""

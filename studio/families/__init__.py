"""The only room that knows how model families differ: how a prompt becomes conditioning, how the UNet is asked."""

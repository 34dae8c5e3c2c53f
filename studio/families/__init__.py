"""The only room that knows how the model families differ: how a prompt becomes conditioning and how the UNet is asked."""

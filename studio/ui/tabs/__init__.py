"""The only package that knows what stands on which tab; one module each."""

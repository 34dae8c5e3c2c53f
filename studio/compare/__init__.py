"""The room of the comparison: experiments carried out, measured, and shown as table, sheet and report."""

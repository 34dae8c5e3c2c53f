"""The only package that draws the page: everything that a person sees in the browser, and nothing that trains."""

"""The command line, and how the parts are put together. The only room that may import every other."""

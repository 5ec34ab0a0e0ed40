"""Files that people and machines wrote: what may be read, in which encoding, and how much of it."""

// Functions without a body, which zero.go links to those of the pinned version, need a file of assembly.

// Replaced by the primitives.

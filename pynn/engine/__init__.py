"""The Python side of the engine's border: how a graph is written, and one op by itself."""

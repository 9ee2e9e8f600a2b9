"""The solvers: their writer, and the written files that the driver reads."""

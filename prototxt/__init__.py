"""The networks: their definition (nets.py), their writer, and the written files that the driver reads."""

"""The named networks: each a function that lists its layers, with what differs from the paper."""

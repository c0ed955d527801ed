"""The ways in for other programs: each opens one thing, by a token of its own."""

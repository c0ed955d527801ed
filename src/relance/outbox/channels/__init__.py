"""One folder per channel: each hands a stored message over to the outside in its own way."""
